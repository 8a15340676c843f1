"""A user's own function, imported and checked."""

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
        reference: the same of its plain definition.
        arguments: shape of each, as in "NxD DxK K".
        static: settings by name, for whichever of the two takes them.
        kinks: (argument, value, slope) of each convention.
        again: the command line that repeats the checks.
        json: a file for the result, or "-".
        seed: decides all sizes and values.
        **settings: further ones of ``check_vjp``.

    Raises:
        UserError: there is no such function, or it cannot be called like this.
    """
    sys.path.insert(0, str(Path.cwd()))
    function = _with_settings(_imported(op), static, required=True)
    plain = _with_settings(_imported(reference), static, required=False)
    try:
        described = tuple(Argument.parse(text) for text in arguments.split())
        subject = Subject(function, plain, described)
        conventions = [_convention(subject, *kink, seed) for kink in kinks]
        result = check_vjp(function, plain, *described, kinks=conventions, seed=seed, **settings)
    except ValueError as error:
        raise UserError(str(error)) from None
    console_beside(json).print(str(dataclasses.replace(result, subject=op, again=again)))
    write_json(json, {"layers": {op: {"checks": checks_json(result)}}})
    return 0 if result.passed else 1


def checks_json(result: VerificationResult) -> dict[str, Any]:
    """A result's rows by name; an infinite error is null."""
    return {
        check.name: {
            "passed": check.passed,
            "worst": check.worst if math.isfinite(check.worst) else None,
            "where": check.where,
            "note": check.note,
        }
        for check in result.checks
    }


def _imported(place: str) -> Any:
    module_name, colon, name = place.partition(":")
    if not colon:
        raise UserError(f"a function is named MODULE:NAME, got {place!r}")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())
        raise UserError(f"{place} cannot be imported: {type(error).__name__}: {words}") from None
    if not callable(getattr(module, name, None)):
        functions = [key for key, value in vars(module).items() if callable(value)]
        near = suggestion(name, functions)
        raise UserError(f"module {module_name} has no function {name!r}{near}")
    return getattr(module, name)


def _with_settings(function: Any, settings: dict[str, Any], required: bool) -> Any:
    """The function with the settings that it takes; one that it has to take is rejected else."""
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = {key: value for key, value in settings.items() if takes_any or key in parameters}
    for name in settings.keys() - known.keys() if required else ():
        raise UserError(f"static: no argument {name!r} (there are: {', '.join(parameters)})")
    return functools.partial(function, **known) if known else function


def _convention(subject: Subject, name: str, value: float, slope: float, seed: int) -> Kink:
    """An elementwise convention: where the argument is ``value``, its cotangent is slope dz."""
    if name not in subject.names:
        raise ValueError(f"kink: no argument {name!r} (there are: {', '.join(subject.names)})")
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, next(sample_sizes(subject.arguments, None, seed, 1)))
    place = subject.names.index(name)
    args[place] = np.full_like(args[place], value)
    dz = subject.draw_cotangent(generator, args)
    expected = tuple(slope * dz if i == place else None for i in subject.reals)
    return Kink(f"{name}={value:g}", tuple(args), dz, expected)
