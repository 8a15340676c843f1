"""A user's own function, imported and checked."""

import dataclasses
import functools
import importlib
import inspect
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ffnn_jax.cli._results import checks_json, console_beside, write_json
from ffnn_jax.config import Refusal, suggestion
from ffnn_jax.verify import Argument, Kink, Subject, check_vjp, sample_sizes

if TYPE_CHECKING:
    from ffnn_jax.cli._verify import Verify


def check_own(
    asked: "Verify", settings: dict[str, Any], kinks: Sequence[tuple[str, float, float]]
) -> int:
    """Checks a user's function and prints its report; returns 1 if anything fails."""
    sys.path.insert(0, str(Path.cwd()))
    op = _set(_imported(str(asked.op)), settings, required=True)
    reference = _set(_imported(str(asked.reference)), settings, required=False)
    try:
        arguments = [Argument.parse(text) for text in str(asked.shapes).split()]
        report = check_vjp(
            op,
            reference,
            *arguments,
            batch=asked.batch,
            reduces=asked.reduces,
            kinks=[
                _kink(Subject(op, reference, tuple(arguments)), *kink, asked.seed) for kink in kinks
            ],
            seed=asked.seed,
            shapes=8 if asked.thorough else 4,
        )
    except ValueError as error:
        raise Refusal(str(error)) from None
    console = console_beside(asked.json)
    console.print(
        str(dataclasses.replace(report, subject=str(asked.op), again=_command(asked))),
        markup=False,
        soft_wrap=True,
    )
    write_json(asked.json, {"layers": {str(asked.op): {"checks": checks_json(report)}}})
    return 0 if report.passed else 1


def _command(asked: "Verify") -> str:
    """The command line that asks the same again."""
    words = ["ffnn-jax", "verify", str(asked.op)]
    for field in dataclasses.fields(asked)[1:]:
        value, option = getattr(asked, field.name), f"--{field.name.replace('_', '-')}"
        if value != field.default:
            values = value if isinstance(value, tuple) else () if value is True else (value,)
            words += [option, *map(str, values)]
    return shlex.join(words)


def _imported(place: str) -> Any:
    module_name, colon, name = place.partition(":")
    if not colon:
        raise Refusal(f"a function is named MODULE:NAME, got {place!r}")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())
        raise Refusal(f"{place} cannot be imported: {type(error).__name__}: {words}") from None
    if not callable(getattr(module, name, None)):
        functions = [key for key, value in vars(module).items() if callable(value)]
        near = suggestion(name, functions)
        raise Refusal(f"module {module_name} has no function {name!r}{near}")
    return getattr(module, name)


def _set(function: Any, settings: dict[str, Any], required: bool) -> Any:
    """The function with the settings that it takes; one that it has to take is refused else."""
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = {key: value for key, value in settings.items() if takes_any or key in parameters}
    for name in settings.keys() - known.keys() if required else ():
        raise Refusal(f"static: no argument {name!r} (there are: {', '.join(parameters)})")
    return functools.partial(function, **known) if known else function


def _kink(subject: Subject, name: str, value: float, slope: float, seed: int) -> Kink:
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
