"""Checks a user's rules, and prints the results."""

import sys
from typing import Any

from ffnn_jax.cli._output import write_json
from ffnn_jax.rules import check_in_a_process


def verify_rules(request: dict[str, Any]) -> int:
    """Checks rules as the options say, and prints each result; returns 1 if anything fails."""
    out = sys.stderr if request["json"] == "-" else sys.stdout
    results, drawn = {}, False
    for name, event in check_in_a_process(request):
        print(event["text"], file=out, flush=True)
        results[name] = event["result"]
        drawn = drawn or event.get("drawn", False)
    failed = [name for name, result in results.items() if not result["passed"]]
    if len(results) > 1:
        fails = f", {len(failed)} FAIL{'S' * (len(failed) == 1)} ({', '.join(failed)})"
        count = f"{len(results)} rules: {len(results) - len(failed)} pass"
        print(count + fails * bool(failed), file=out)
    if request["figure"] and not drawn:
        print("no figure: no array failed, so there is no error to draw", file=sys.stderr)
    write_json(request["json"], {"rules": results})
    return 1 if failed else 0
