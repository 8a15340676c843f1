"""All checks of one operation, or of several at once."""

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

_AT_EVERY_SIZE = {
    "value": _values.check_value,
    "cotangents": _values.check_cotangents,
    "differences": _values.check_differences,
    "adjoint": _values.check_adjoint,
    "exact": _values.check_exact,
    "linearity": _values.check_linearity,
    "zero": _values.check_zero,
}
_AT_THE_FIRST_SIZES = {
    "empty batch": _values.check_empty_batch,
    "jit": _transforms.check_jit,
    "vmap": _transforms.check_vmap,
    "scan": _transforms.check_scan,
    "remat": _transforms.check_remat,
    "grad of grad": _transforms.check_second_order,
}
_AT_FIRST = {"jit", *_dtypes.DTYPES}
CHECKS = (
    *_AT_EVERY_SIZE, "kinks", *_AT_THE_FIRST_SIZES, *_dtypes.DTYPES, *_sharded.NAMES,
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
    """Compares a differentiable function with its plain definition, in every way we know.

    Args:
        op: the function, usually a ``jax.custom_vjp``.
        reference: its plain definition in ordinary jax operations, which autodiff differentiates.
        *arguments: what each argument is: "NxD" (real numbers; a name stands for one size
            wherever it occurs), "4x7", "N:int<K" (integers below K; no cotangent), "N:>0"
            (real numbers above 0), or an array whose shape and kind are taken.
        batch: the name of the batch axis; it must lead each argument that has it.
        reduces: how an output without the batch axis depends on it, "sum" or "mean"; or "mixed"
            where examples of the batch depend on one another.
        linear: places of arguments in which the function is affine, the others being fixed.
        exact: whether it is made of sums and products alone.
        empty_batch: whether a batch of none is defined.
        kinks: points where the derivative is a convention, and the convention.
        sizes: sizes for the names, in place of the sampler's; the first are the smallest.
        seed: decides all sizes and values.
        shapes: how many sets of sizes the sampler gives.
        only: names of checks to run, of ``CHECKS``.

    Returns:
        A result with a row a check. A check that does not apply has none.

    Raises:
        ValueError: an argument is not described as above, a check is unknown, ``reduces`` is, or
            the functions cannot be called with such arguments.
    """
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise ValueError(f"check_vjp: unknown check {unknown[0]!r}; known: {', '.join(CHECKS)}")
    if reduces not in REDUCES:
        raise ValueError(f"check_vjp: reduces must be one of {REDUCES}, got {reduces!r}")
    described = tuple(_described(argument) for argument in arguments)
    leading = {argument.axes[0] for argument in described if argument.axes}
    if batch is not None and batch not in leading:
        raise ValueError(f"check_vjp: no argument begins with the batch axis {batch!r}")
    subject = Subject(
        op, reference, described, batch=batch, reduces=reduces, linear=tuple(linear), exact=exact,
        empty_batch=empty_batch, kinks=tuple(kinks),
    )  # fmt: skip
    chosen = list(sizes) if sizes else list(sample_sizes(described, batch, seed, shapes))
    mismatch = _mismatch(subject, chosen[0])
    if mismatch:
        return VerificationResult(
            _called(op), (Check("value", False, float("inf"), note=mismatch),)
        )
    result = check_subjects(_called(op), [(subject, chosen)], seed, only)
    settings = {
        "batch": batch, "reduces": reduces, "linear": linear, "exact": exact,
        "empty_batch": empty_batch, "kinks": kinks, "sizes": sizes, "seed": seed, "shapes": shapes,
        "only": list(result.failures),
    }  # fmt: skip
    told = [f"{name}={value!r}" for name, value in settings.items() if value != _DEFAULTS[name]]
    words = [_called(op), _called(reference), *(repr(str(a)) for a in described), *told]
    return dataclasses.replace(result, again=f"check_vjp({', '.join(words)})")


_DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(check_vjp).parameters.items()
}


def assert_vjp(op: Function, reference: Function, *arguments: Any, **settings: Any) -> None:
    """Raises AssertionError, with the table, unless every check of ``check_vjp`` passes."""
    result = check_vjp(op, reference, *arguments, **settings)
    if not result:
        raise AssertionError(f"\n{result}")


def check_subjects(
    title: str,
    subjects: Sequence[tuple[Subject, Sequence[Sizes]]],
    seed: int = 0,
    only: Sequence[str] = CHECKS,
) -> VerificationResult:
    """One result of one operation under several settings, each with its own sizes.

    What costs most and depends least on settings is checked under the first alone: "jit", which
    compiles step by step, the dtypes, and the checks over devices.

    Args:
        title: names the result.
        subjects: the operation under each setting, and sizes, the smallest first.
        seed: decides all values.
        only: names of checks to run.
    """
    requests = []
    if set(only) & set(_sharded.NAMES):
        requests = [_sharded.request_for(subjects[0][0], subjects[0][1][0], seed)]
    elsewhere = _sharded.ShardedChecks([request for request in requests if request])
    tasks = [
        task
        for place, (subject, sizes) in enumerate(subjects)
        for task in _tasks(subject, sizes, seed, only if place == 0 else set(only) - _AT_FIRST)
    ]
    found = [check for check in (task() for task in tasks) if check]
    found += itertools.chain.from_iterable(elsewhere.results())
    by_name = {name: [check for check in found if check.name == name] for name in CHECKS}
    return VerificationResult(
        title, tuple(worst_of(checks) for checks in by_name.values() if checks)
    )


def _mismatch(subject: Subject, sizes: Sizes) -> str:
    """How the output's shape differs from the reference's, in words; rejects bad arguments."""
    try:
        args = subject.draw(np.random.default_rng(0), sizes)
    except MemoryError as error:
        raise ValueError(f"check_vjp: the arguments do not fit into memory ({error})") from None
    shapes = []
    for name, function in (("operation", subject.op), ("reference", subject.reference)):
        try:
            output = jax.eval_shape(function, *args)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            taken = ", ".join(str(arg.shape) for arg in args)
            message = f"check_vjp: the {name} cannot be called with shapes {taken} ({reason})"
            raise ValueError(message) from error
        shapes.append(str(jax.tree.map(lambda leaf: leaf.shape, output)))
    ours, theirs = shapes
    return "" if ours == theirs else f"the output is {ours}, the reference's is {theirs}"


def _called(function: Function) -> str:
    """The name of a function, also of one with settings."""
    function = function.func if isinstance(function, functools.partial) else function
    return getattr(function, "__name__", repr(function))


def _described(argument: Any) -> Argument:
    if isinstance(argument, Argument):
        return argument
    if isinstance(argument, str):
        return Argument.parse(argument)
    array = np.asarray(argument)
    whole = np.issubdtype(array.dtype, np.integer)
    below = str(int(array.max(initial=0)) + 1) if whole else None
    return Argument(tuple(map(str, array.shape)), below)


def _tasks(
    subject: Subject, sizes: Sequence[Sizes], seed: int, only: Collection[str]
) -> Iterator[Task]:
    """The checks to run, each as a function of nothing."""
    for name, check in _AT_THE_FIRST_SIZES.items():
        if name in only:
            yield _task(subject, name, functools.partial(check, subject, sizes[0], seed))
    for name, check in _AT_EVERY_SIZE.items():
        for some in sizes if name in only else ():
            yield _task(subject, name, functools.partial(check, subject, some, seed))
    if "kinks" in only:
        yield _task(subject, "kinks", functools.partial(_values.check_kinks, subject))
    for dtype in _dtypes.DTYPES:
        for some in (sizes[0], sizes[-1])[: len(sizes)] if dtype in only else ():
            check = functools.partial(_dtypes.check_dtype, subject, dtype, some, seed)
            yield _task(subject, dtype, check)


def _task(subject: Subject, name: str, check: Callable[[], Check | None]) -> Task:
    """The check in float64 on the CPU; an exception is a failure, told in one line."""

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
