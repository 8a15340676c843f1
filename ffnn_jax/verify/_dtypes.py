"""Checks in the dtypes used for training, on the default device, at many magnitudes."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify import _compare
from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import all_finite, largest, named_leaves, typical_size
from ffnn_jax.verify._layout import is_inexact
from ffnn_jax.verify._result import Check, failure, one_line, worst_of
from ffnn_jax.verify._subject import Function, Subject, cast, compiled_pull
from ffnn_jax.verify._values import excused, reference_is_wrong, typical_results

# Allowed error in epsilons, relative to the expected value plus the typical size of its array: a
# float32 rule may sum thousands of terms, a half-precision one only rounds residuals and results.
ALLOWED = {"float32": 16.0, "bfloat16": 4.0, "float16": 4.0}
DTYPES = tuple(ALLOWED)
_AUTODIFF = 2.0  # times plain autodiff's error passes as well,
_USABLE = 1e-2  # if that error is below this one
_UNUSABLE, _AS_UNUSABLE = ", unusable", ", which is as unusable"
_ORDINARY, _FAR = 10.0, 1e4
_EPSILON = float(np.finfo(np.float32).eps)
_HALF = ("bfloat16", "float16")


class UnsupportedDtypeError(Exception):
    """The operation does not accept arguments of a dtype."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """The results at one draw: the operation's, autodiff's in the same dtype, and the truth."""

    subject: Subject
    dtype: str
    args: Any
    dz: Any
    ours: Any
    theirs: Any
    expected: Any


def check_dtype(
    subject: Subject, dtype: str, sizes: Sizes, seed: int, scaled: bool, first: bool = True
) -> Iterator[Check]:
    """Value and cotangents have the correct dtypes, and errors of only a few epsilons.

    A cotangent has its argument's dtype; an output has ``dtype``, or the reference's dtype, such
    as statistics in float32. Both are compared with the reference in float64 on the same numbers,
    in epsilons, if ``scaled`` at other magnitudes as well. Twice autodiff's error passes, if that
    is below 1e-2. Detects sums in half precision, overflow, promoted results and weak types.
    """
    generator = np.random.default_rng(seed)
    run = _run(subject, dtype, subject.draw(generator, sizes), generator)
    if mismatch := next(_mismatches(run), ""):
        yield failure(dtype, "wrong type", ALLOWED[dtype], mismatch + at_sizes(sizes))
        return
    rows, beyond = [_judge(run, at_sizes(sizes), None)], []
    if scaled:
        with jax.enable_x64(subject.wide):
            base = typical_results(subject, sizes, seed)
        for name, args in subject.scaled_draws(sizes, seed):
            run = _run(subject, dtype, args, generator)
            if not all_finite(run.expected):
                continue
            row = _judge(run, f" at {name}", base) if _holds(run, args) else None
            if row and not (dtype in _HALF and row.note.endswith("unusable")):
                rows.append(row)
            elif name.startswith("scale "):
                beyond.append(name.removeprefix("scale "))
    row = worst_of(rows)
    limits = f"; cannot hold scale {', '.join(dict.fromkeys(beyond))}" if beyond else ""
    # As unusable as autodiff in float32: the first sizes have been judged.
    if first or dtype != "float32" or not row.note.endswith(_AS_UNUSABLE):
        yield dataclasses.replace(row, note=row.note + limits)


def _run(subject: Subject, dtype: str, args: Any, generator: np.random.Generator) -> _Run:
    with jax.enable_x64(subject.wide):
        cotangent = subject.draw_cotangent(generator, args)
    args = [cast(array, dtype) for array in args]
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):
        outputs = _supported(jax.eval_shape, subject.narrow.op, *args)
        dz = jax.tree.map(lambda d, leaf: np.asarray(d).astype(leaf.dtype), cotangent, outputs)
        try:
            ours = subject.narrow.pull(args, dz)
        except Exception:
            _supported(subject.value, *args)
            raise
        theirs = _autodiff(subject, args, dz)
    args, dz = jax.tree.map(cast, (args, dz))
    expected = theirs if _samples(subject) else subject.reference_pull(args, dz)
    return _Run(subject, dtype, args, dz, ours, theirs, jax.tree.map(cast, expected))


def _supported(function: Function, *args: Any) -> Any:
    """The result; an operation that cannot be evaluated does not support the dtype."""
    try:
        return function(*args)
    except Exception as error:
        raise UnsupportedDtypeError(one_line(error)) from error


def _autodiff(subject: Subject, args: Any, dz: Any) -> Any:
    """The reference's results in the same dtype; None where it does not support it."""
    with contextlib.suppress(Exception):
        return compiled_pull(subject.narrow.truth, subject.reals)(args, dz)
    return None


def _samples(subject: Subject) -> bool:
    """Whether an argument is a random key, with which another dtype draws other numbers."""
    keys = (jax.random.wrap_key_data,)
    return any(r in keys or getattr(r, "func", None) in keys for r in subject.layout.restores)


def _mismatches(run: _Run) -> Iterator[str]:
    """Descriptions of the arrays with a wrong dtype or a weak type."""
    subject, args = run.subject, [cast(array, run.dtype) for array in run.args]
    yield from _promoted(subject, args)
    with jax.enable_x64(False):
        function = subject.narrow.op if run.theirs is None else subject.narrow.truth
        outputs = jax.tree.leaves(jax.eval_shape(function, *args))
    weak = [leaf.dtype for leaf in outputs if getattr(leaf, "weak_type", False)]
    expected = [{jnp.dtype(run.dtype), leaf.dtype} for leaf in outputs]
    expected += [{args[i].dtype} for i in subject.reals]
    ours = _compare.named_results(subject, run.ours)
    for (name, leaf), dtypes in zip(ours, expected, strict=True):
        if leaf.dtype not in dtypes:
            yield f"{name} is {leaf.dtype}"
        elif leaf.aval.weak_type and leaf.dtype not in weak:
            yield f"{name} is weakly typed"


def _promoted(subject: Subject, args: Any) -> Iterator[str]:
    """Descriptions of the outputs that become float64 as soon as x64 is enabled."""
    try:
        with jax.enable_x64(True):
            ours, theirs = (jax.eval_shape(f, *args) for f in (subject.op, subject.truth))
    except Exception:  # the row itself will say what is wrong
        return
    outputs = named_leaves("z", ours), jax.tree.leaves(theirs)
    for (name, leaf), other in zip(*outputs, strict=True):
        if leaf.dtype != other.dtype and leaf.dtype in (np.float64, np.complex128):
            yield f"{name} is {leaf.dtype} where x64 is enabled"


def _holds(run: _Run, drawn: Any) -> bool:
    """Whether the dtype can hold the inputs and the results, and what float16 computes between.

    Float16 has few exponents: where plain autodiff overflows in it, so may any correct rule.
    """
    info = jnp.finfo(run.dtype)
    real = [array for array in run.args if is_inexact(array)]
    normal = all(np.all((a == 0) | (np.abs(a) >= float(info.tiny))) for a in real)
    kept = all(np.array_equal(a == 0, b == 0) for a, b in zip(run.args, drawn, strict=True))
    between = run.theirs if run.dtype == "float16" else None
    finite = all_finite((real, run.dz, between))
    return normal and kept and finite and largest((real, run.dz, run.expected)) < float(info.max)


def _judge(run: _Run, where: str, base: list[float] | None) -> Check:
    """Compares one draw, in epsilons; twice autodiff's error passes where that is usable."""
    scale = _scale(run, base)
    ours = _in_epsilons(run, run.ours, scale, where)
    if run.theirs is None:
        return dataclasses.replace(ours, note="autodiff does not support it")
    theirs = _in_epsilons(run, run.theirs, scale, where).worst
    note, limit = f"autodiff {theirs:.1f} eps", _AUTODIFF * theirs
    if not ours.passed:
        if base and reference_is_wrong(run.subject, run.args, run.dz, ours):
            return excused(ours)
        if theirs * float(jnp.finfo(run.dtype).eps) >= _USABLE:
            note += _AS_UNUSABLE if ours.worst <= limit else _UNUSABLE
        elif ours.worst <= limit:
            return dataclasses.replace(ours, passed=True, allowed=limit, note=note, parts=())
    return dataclasses.replace(ours, note=note, example=(run.args, run.dz))


def _scale(run: _Run, base: list[float] | None) -> list[Any]:
    """What rounding explains in each leaf, beyond an epsilon of the expected entries.

    Far from ordinary arguments, the exponential of a number of size m errs by m epsilons of
    float32, in which it is computed at least.
    """
    subject, inputs, info = run.subject, (run.args, run.dz, run.expected), jnp.finfo(run.dtype)
    sampled = functools.partial(_sampled, subject, run.dtype)
    pull, epsilon = sampled if _samples(subject) else subject.reference_pull, float(info.eps)
    moved = _compare.movement(pull, *inputs, epsilon)
    zeros = _compare.cancelled(subject, *inputs)
    far = min(largest([run.args[i] for i in subject.reals]), _FAR)
    far = far if base or far > _ORDINARY else 0.0
    leaves = [np.abs(leaf) for leaf in jax.tree.leaves(run.expected)]
    return [
        m + epsilon * (z + b) + _EPSILON * far * (leaf + typical_size(leaf)) + float(info.tiny)
        for m, z, b, leaf in zip(moved, zeros, base or [0.0] * len(moved), leaves, strict=True)
    ]


def _sampled(subject: Subject, dtype: str, args: Any, dz: Any) -> Any:
    """The reference's results in the dtype, from arguments in float64."""
    with jax.enable_x64(False):
        narrow, dz = jax.tree.map(lambda array: cast(array, dtype), (args, dz))
        return jax.tree.map(cast, _autodiff(subject, narrow, dz))


def _in_epsilons(run: _Run, actual: Any, scale: list[Any], where: str) -> Check:
    """The worst error; an output stored in another dtype is measured with its epsilon."""
    limit, rows = ALLOWED[run.dtype], []
    named = _compare.named_results(run.subject, actual), jax.tree.leaves(run.expected), scale
    for (name, leaf), expected, moved in zip(*named, strict=True):
        stored = leaf.dtype.name.replace("complex64", "float32")
        unit = float(jnp.finfo(stored).eps) * ALLOWED.get(stored, 16.0) / limit
        own = unit * (np.abs(expected) + typical_size(expected))
        slack = [limit * np.maximum(moved - own, 0.0)]
        row = _compare.compare(run.dtype, (name,), (leaf,), (expected,), limit * unit, where, slack)
        rows.append(dataclasses.replace(row, worst=row.worst / unit, allowed=limit))
    parts = tuple(part for row in rows for part in row.parts)
    return dataclasses.replace(worst_of(rows), parts=parts)
