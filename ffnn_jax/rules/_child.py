"""The process that imports and checks a user's rules, as ``_process`` starts it.

Adds a line of JSON to a file at each event; ends with its parent, which holds its standard input.
"""

import dataclasses
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ffnn_jax._device import require_platform
from ffnn_jax.config import UserError
from ffnn_jax.proof import prove_vjp
from ffnn_jax.verify import Rule, check_vjp, error_line, function_at, rules_in

_SHARE = 0.8  # of the time limit, after which no further check is started
_THOROUGH_SIZES = 8


def events(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The names of the rules, the beginning and the result of each; or an error."""
    name = request["op"]
    try:
        require_platform()
        yield {}
        rules = _rules(request)
        yield {"names": list(rules)}
        for name in list(rules)[request["first"] :]:
            yield {"begins": name}
            try:
                yield (_prove if request["prove"] else _check)(name, rules, request)
            except (Exception, SystemExit) as error:
                if len(rules) == 1:
                    raise
                yield {"cannot be checked": error_line(error)}
    except UserError as error:
        yield {"error": str(error)}
    except (Exception, SystemExit) as error:
        yield {"error": f"{name}: {error_line(error)}"}


def _check(name: str, rules: dict[str, Rule], request: dict[str, Any]) -> dict[str, Any]:
    """The result; its error is drawn if a figure is requested, numbered if there are more rules."""
    rule, seed, path = rules[name], request["seed"], Path(request["figure"] or "")
    if request["thorough"] and rule.sizes is None:
        rule = dataclasses.replace(rule, sizes=rule.sample_sizes(seed, _THOROUGH_SIZES))
    result = check_vjp(rule, seed=seed, timeout=_SHARE * request["timeout"])
    if {"value", "cotangents", "differences"}.intersection(result.failures):
        from ffnn_jax.catalogue.diagnosis import diagnosed

        result = diagnosed(result, rule, seed, (1 - _SHARE) * request["timeout"])
    result = dataclasses.replace(result, subject=name, again=request["again"])
    drawn = bool(request["figure"]) and any(check.parts for check in result.checks)
    if drawn:
        from ffnn_jax.reporting import draw_verification, save_figure

        number = f"-{[*rules].index(name) + 1}" if len(rules) > 1 else ""
        path = path.with_stem(path.stem + number)
        save_figure(draw_verification(result), path)
    text = f"{result}\nfigure of the error: {path}" if drawn else str(result)
    return {"text": text, "result": result.as_json(), "drawn": drawn}


def _prove(name: str, rules: dict[str, Rule], request: dict[str, Any]) -> dict[str, Any]:
    """What came of a proof, at the first sizes that the rule states."""
    sizes = next(iter(rules[name].sizes or ()), None)
    proof = prove_vjp(rules[name], sizes=sizes, timeout=_SHARE * request["timeout"])
    return {"text": f"{name}: {proof}", "result": proof.as_json() | {"passed": bool(proof)}}


def _rules(request: dict[str, Any]) -> dict[str, Rule]:
    op, reference = request["op"], request["reference"]
    if op.endswith(".py"):
        return rules_in(op)
    function = function_at(op)
    try:
        plain = function_at(reference) if reference else None
    except (Exception, SystemExit) as error:
        raise UserError(f"--reference {reference}: {error_line(error)}") from None
    return {op: Rule(function, plain, tuple(request["shapes"].split()), batch=request["batch"])}


if __name__ == "__main__":
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the user's code finds it empty
    threading.Thread(target=lambda: (os.read(lifeline, 1), os._exit(1)), daemon=True).start()
    with Path(sys.argv[2]).open("a", encoding="utf-8") as stream:
        for event in events(json.loads(sys.argv[1])):
            print(json.dumps(event), file=stream, flush=True)
    os._exit(0)  # without waiting for the user's threads
