"""Runs the checks on an operation, in one setting or several."""

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify import _dtypes, _sharded, _transforms, _values
from ffnn_jax.verify._arguments import Argument, Sizes, sample_sizes
from ffnn_jax.verify._result import Check, VerificationResult, worst_of
from ffnn_jax.verify._subject import REDUCES, Function, Kink, Subject

Task = Callable[[], Check | None]

_CHECKS_AT_ALL_SIZES = {
    "value": _values.check_value,
    "cotangents": _values.check_cotangents,
    "differences": _values.check_differences,
    "adjoint": _values.check_adjoint,
    "exact": _values.check_exact,
    "linearity": _values.check_linearity,
    "zero": _values.check_zero,
}
_CHECKS_AT_FIRST_SIZES = {
    "empty batch": _values.check_empty_batch,
    "jit": _transforms.check_jit,
    "vmap": _transforms.check_vmap,
    "scan": _transforms.check_scan,
    "remat": _transforms.check_remat,
    "grad of grad": _transforms.check_second_order,
}
_FIRST_SETTING_ONLY = {"jit", *_dtypes.DTYPES}
CHECKS = (
    *_CHECKS_AT_ALL_SIZES, "kinks", *_CHECKS_AT_FIRST_SIZES, *_dtypes.DTYPES, *_sharded.NAMES,
)  # fmt: skip


def check_vjp(
    op: Function,
    reference: Function,
    *arguments: Any,
    batch: str | None = None,
    reduces: str = "sum",
    linear: Sequence[int] = (),
    exact: bool = False,
    empty_batch: bool = False,
    kinks: Sequence[Kink] = (),
    sizes: Sequence[Sizes] | None = None,
    seed: int = 0,
    shapes: int = 4,
    only: Sequence[str] = CHECKS,
) -> VerificationResult:
    """Compares a differentiable function with its reference implementation, check by check.

    Args:
        op: the function, usually a ``jax.custom_vjp``.
        reference: the same function in ordinary JAX operations, differentiated by autodiff.
        *arguments: one description per argument: "NxD" (real numbers; a name stands for the same
            size wherever it occurs), "4x7", "N:int<K" (integers below K; no cotangent), "N:>0"
            (positive real numbers), or an array with the argument's shape and kind.
        batch: the name of the batch axis; it must come first in each argument that has it.
        reduces: how an output without the batch axis reduces over it: "sum" or "mean"; or "mixed"
            if examples of the batch depend on one another.
        linear: indices of arguments in which the function is affine with the others fixed.
        exact: whether it consists of sums and products only.
        empty_batch: whether a batch of size 0 is defined.
        kinks: points where the derivative is a convention, with that convention.
        sizes: sets of sizes for the names, smallest first, instead of sampled ones.
        seed: seed of all sizes and values.
        shapes: number of sets of sizes to sample.
        only: names of the checks to run, from ``CHECKS``.

    Returns:
        A result with one row for each check that applies.

    Raises:
        ValueError: an argument's description, a check or ``reduces`` is invalid, or the functions
            cannot be called with such arguments.
    """
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise ValueError(f"check_vjp: unknown check {unknown[0]!r}; known: {', '.join(CHECKS)}")
    if reduces not in REDUCES:
        raise ValueError(f"check_vjp: reduces must be one of {REDUCES}, got {reduces!r}")
    specs = tuple(_as_argument(argument) for argument in arguments)
    leading = {argument.axes[0] for argument in specs if argument.axes}
    if batch is not None and batch not in leading:
        raise ValueError(f"check_vjp: no argument begins with the batch axis {batch!r}")
    subject = Subject(
        op, reference, specs, batch=batch, reduces=reduces, linear=tuple(linear), exact=exact,
        empty_batch=empty_batch, kinks=tuple(kinks),
    )  # fmt: skip
    chosen = list(sizes) if sizes else list(sample_sizes(specs, batch, seed, shapes))
    mismatch = _shape_mismatch(subject, chosen[0])
    if mismatch:
        return VerificationResult(
            _name_of(op), (Check("value", False, float("inf"), note=mismatch),)
        )
    result = check_subjects(_name_of(op), [(subject, chosen)], seed, only)
    settings = {
        "batch": batch, "reduces": reduces, "linear": linear, "exact": exact,
        "empty_batch": empty_batch, "kinks": kinks, "sizes": sizes, "seed": seed, "shapes": shapes,
        "only": list(result.failures),
    }  # fmt: skip
    changed = [f"{name}={value!r}" for name, value in settings.items() if value != _DEFAULTS[name]]
    plain = getattr(op, "fun", None) is reference  # the function under a custom_vjp
    other = f"{_name_of(op)}.fun" if plain else _name_of(reference)
    parts = [_name_of(op), other, *(repr(str(spec)) for spec in specs), *changed]
    return dataclasses.replace(result, again=f"check_vjp({', '.join(parts)})")


_DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(check_vjp).parameters.items()
}


def assert_vjp(op: Function, reference: Function, *arguments: Any, **settings: Any) -> None:
    """Raises AssertionError with the result table unless every check of ``check_vjp`` passes."""
    result = check_vjp(op, reference, *arguments, **settings)
    if not result:
        raise AssertionError(f"\n{result}")


def check_subjects(
    title: str,
    subjects: Sequence[tuple[Subject, Sequence[Sizes]]],
    seed: int = 0,
    only: Sequence[str] = CHECKS,
) -> VerificationResult:
    """Checks one operation in several settings, each with its own sizes, as a single result.

    The checks that cost most and depend least on the settings run in the first only: "jit", which
    compiles operation by operation, the dtypes, and the multi-device checks.

    Args:
        title: name of the result.
        subjects: the operation in each setting, and its sizes, smallest first.
        seed: seed of all values.
        only: names of the checks to run.
    """
    requests = []
    if set(only) & set(_sharded.NAMES):
        requests = [_sharded.build_request(subjects[0][0], subjects[0][1][0], seed)]
    sharded = _sharded.ShardedChecks([request for request in requests if request])
    tasks = [
        task
        for i, (subject, sizes) in enumerate(subjects)
        for task in _tasks(
            subject, sizes, seed, only if i == 0 else set(only) - _FIRST_SETTING_ONLY
        )
    ]
    checks = [check for check in (task() for task in tasks) if check]
    checks += itertools.chain.from_iterable(sharded.results())
    by_name = {name: [check for check in checks if check.name == name] for name in CHECKS}
    return VerificationResult(
        title, tuple(worst_of(results) for results in by_name.values() if results)
    )


def _shape_mismatch(subject: Subject, sizes: Sizes) -> str:
    """A description of how the output shapes differ, or ""; rejects invalid arguments."""
    try:
        args = subject.draw(np.random.default_rng(0), sizes)
    except MemoryError as error:
        raise ValueError(f"check_vjp: the arguments do not fit in memory ({error})") from None
    shapes = []
    for name, function in (("operation", subject.op), ("reference", subject.reference)):
        try:
            output = jax.eval_shape(function, *args)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            passed = ", ".join(str(arg.shape) for arg in args)
            message = f"check_vjp: the {name} cannot be called with shapes {passed} ({reason})"
            raise ValueError(message) from error
        shapes.append(str(jax.tree.map(lambda leaf: leaf.shape, output)))
    ours, theirs = shapes
    return "" if ours == theirs else f"the output shape is {ours}, the reference's {theirs}"


def _name_of(function: Function) -> str:
    """The name of a function, also inside a ``functools.partial``."""
    function = function.func if isinstance(function, functools.partial) else function
    return getattr(function, "__name__", repr(function))


def _as_argument(argument: Any) -> Argument:
    if isinstance(argument, Argument):
        return argument
    if isinstance(argument, str):
        return Argument.parse(argument)
    array = np.asarray(argument)
    is_integer = np.issubdtype(array.dtype, np.integer)
    below = str(int(array.max(initial=0)) + 1) if is_integer else None
    return Argument(tuple(map(str, array.shape)), below)


def _tasks(
    subject: Subject, sizes: Sequence[Sizes], seed: int, only: Collection[str]
) -> Iterator[Task]:
    """The checks to run, as functions without arguments."""
    for name, check in _CHECKS_AT_FIRST_SIZES.items():
        if name in only:
            yield _task(subject, name, functools.partial(check, subject, sizes[0], seed))
    for name, check in _CHECKS_AT_ALL_SIZES.items():
        for selected in sizes if name in only else ():
            yield _task(subject, name, functools.partial(check, subject, selected, seed))
    if "kinks" in only:
        yield _task(subject, "kinks", functools.partial(_values.check_kinks, subject))
    for dtype in _dtypes.DTYPES:
        for selected in (sizes[0], sizes[-1])[: len(sizes)] if dtype in only else ():
            check = functools.partial(_dtypes.check_dtype, subject, dtype, selected, seed)
            yield _task(subject, dtype, check)


def _task(subject: Subject, name: str, check: Callable[[], Check | None]) -> Task:
    """The check, in float64 on the CPU; an exception becomes a failure with a one-line note."""

    def run() -> Check | None:
        try:
            if name in _dtypes.DTYPES:
                return check()
            with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
                return check()
        except Exception as error:
            lines = str(error).splitlines() or [""]
            note = f"{type(error).__name__}: {lines[0]}"
            return Check(name, False, float("inf"), note=note)

    return run
