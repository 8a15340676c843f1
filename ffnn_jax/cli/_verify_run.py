"""Imports and checks a user's own function."""

import dataclasses
import functools
import importlib
import inspect
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.cli._results import console_beside, write_json
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.verify import Argument, Kink, Subject, VerificationResult, check_vjp, sample_sizes


def verify_function(
    op: str,
    reference: str,
    arguments: str,
    *,
    static: dict[str, Any],
    kinks: Sequence[tuple[str, float, float]],
    again: str,
    json: str | None,
    seed: int,
    **settings: Any,
) -> int:
    """Checks a user's function and prints the result; returns 1 if anything fails.

    Args:
        op: MODULE:NAME of the function.
        reference: MODULE:NAME of its reference implementation.
        arguments: the shape of each argument, as in "NxD DxK K".
        static: static arguments by name, passed to each of the two functions that accepts them.
        kinks: (argument, value, slope) of each convention.
        again: the command line that repeats the checks.
        json: a file for the result, or "-" for standard output.
        seed: seed of all sizes and values.
        **settings: further arguments of ``check_vjp``.

    Raises:
        UserError: a function does not exist, or cannot be called with these arguments.
    """
    sys.path.insert(0, str(Path.cwd()))
    function = _bind_static(_import(op), static, required=True)
    reference_function = _bind_static(_import(reference), static, required=False)
    try:
        specs = tuple(Argument.parse(text) for text in arguments.split())
        subject = Subject(function, reference_function, specs)
        conventions = [_convention(subject, *kink, seed) for kink in kinks]
        result = check_vjp(
            function, reference_function, *specs, kinks=conventions, seed=seed, **settings
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    console_beside(json).print(str(dataclasses.replace(result, subject=op, again=again)))
    write_json(json, {"layers": {op: {"checks": checks_json(result)}}})
    return 0 if result.passed else 1


def checks_json(result: VerificationResult) -> dict[str, Any]:
    """The rows of a result by name; an infinite error becomes null."""
    return {
        check.name: {
            "passed": check.passed,
            "worst": check.worst if math.isfinite(check.worst) else None,
            "where": check.where,
            "note": check.note,
        }
        for check in result.checks
    }


def _import(location: str) -> Any:
    module_name, colon, name = location.partition(":")
    if not colon:
        raise UserError(f"a function must be given as MODULE:NAME, got {location!r}")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        raise UserError(
            f"{location} cannot be imported: {type(error).__name__}: {message}"
        ) from None
    if not callable(getattr(module, name, None)):
        functions = [key for key, value in vars(module).items() if callable(value)]
        hint = suggestion(name, functions)
        raise UserError(f"module {module_name} has no function {name!r}{hint}")
    return getattr(module, name)


def _bind_static(function: Any, settings: dict[str, Any], required: bool) -> Any:
    """The function with the settings it accepts; if ``required``, it must accept all of them."""
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    accepted = {key: value for key, value in settings.items() if takes_any or key in parameters}
    for name in settings.keys() - accepted.keys() if required else ():
        raise UserError(f"static: no argument {name!r} (known: {', '.join(parameters)})")
    return functools.partial(function, **accepted) if accepted else function


def _convention(subject: Subject, name: str, value: float, slope: float, seed: int) -> Kink:
    """An elementwise convention: where the argument is ``value``, the cotangent is slope dz."""
    if name not in subject.names:
        raise ValueError(f"kink: no argument {name!r} (known: {', '.join(subject.names)})")
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, next(sample_sizes(subject.arguments, None, seed, 1)))
    index = subject.names.index(name)
    args[index] = np.full_like(args[index], value)
    dz = subject.draw_cotangent(generator, args)
    expected = tuple(slope * dz if i == index else None for i in subject.reals)
    return Kink(f"{name}={value:g}", tuple(args), dz, expected)
