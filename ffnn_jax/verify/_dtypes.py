"""Checks in the dtypes used for training, on the default device, at many magnitudes."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import (
    cancelled,
    compare,
    largest,
    movement,
    named_leaves,
    share_finite,
    typical_size,
)
from ffnn_jax.verify._layout import is_inexact
from ffnn_jax.verify._magnitudes import typical_results
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._values import UNUSABLE, reference_is_wrong

# Allowed error in epsilons, relative to the expected value plus the typical size of its array: a
# float32 rule may sum thousands of terms, a half-precision one only rounds residuals and results.
ALLOWED = {"float32": 16.0, "bfloat16": 4.0, "float16": 4.0}
DTYPES = tuple(ALLOWED)
_AUTODIFF = 2.0  # times plain autodiff's error passes as well,
_USABLE = 1e-2  # if that error is below this one
_UNUSABLE = ", unusable"
_FAR = 1e4
_EPSILON = float(np.finfo(np.float32).eps)
_HALF = ("bfloat16", "float16")


class UnsupportedDtypeError(Exception):
    """The operation does not accept arguments of a dtype."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """The results at one draw: the operation's, autodiff's in the same dtype, and the truth."""

    args: Any
    dz: Any
    ours: Any
    theirs: Any
    expected: Any


def check_dtype(subject: Subject, dtype: str, sizes: Sizes, seed: int, scaled: bool) -> Check:
    """Value and cotangents have the correct dtypes, and errors of only a few epsilons.

    A cotangent has its argument's dtype; an output has ``dtype``, or the dtype that the reference
    returns for the same arguments, such as statistics in float32. Both are compared with the
    reference in float64 on the same numbers. The worst error is in units of the dtype's epsilon;
    the error of autodiff in the same dtype is noted beside it, and twice that passes if it is
    below 1e-2. Detects sums in half precision, overflow, promoted results and weak types.

    Args:
        subject: the subject.
        dtype: the dtype of all real arguments.
        sizes: the sizes of the arguments.
        seed: seed of the values.
        scaled: whether to go to other magnitudes as well.

    Raises:
        UnsupportedDtypeError: the operation rejects the dtype.
    """
    generator = np.random.default_rng(seed)
    draws = [(at_sizes(sizes), subject.draw(generator, sizes))]
    base = None
    if scaled:
        with jax.enable_x64(subject.wide):
            base = typical_results(subject, sizes, seed)
        draws += [(f" at {name}", args) for name, args in subject.scaled_draws(sizes, seed)]
    rows, beyond = [], []
    for i, (where, args) in enumerate(draws):
        run = _run(subject, dtype, args, generator)
        mismatch = _type_mismatch(subject, run, dtype)
        if mismatch:
            place = mismatch + at_sizes(sizes)
            return Check(dtype, False, float("inf"), ALLOWED[dtype], place, "wrong type")
        if i and share_finite(run.expected) < 1:
            continue
        if i and not _holds(run, args, dtype):
            beyond.append(where.removeprefix(" at "))
            continue
        row = _judge(subject, run, dtype, where, base if i else None)
        if i and dtype in _HALF and not row.passed and row.note.endswith(_UNUSABLE):
            beyond.append(where.removeprefix(" at "))
            continue
        rows.append(row)
    row = worst_of(rows)
    scales = dict.fromkeys(name.removeprefix("scale ") for name in beyond if "scale " in name)
    beyond_range = f"; cannot hold scale {', '.join(scales)}" if scales else ""
    return dataclasses.replace(row, note=row.note + beyond_range)


def _run(subject: Subject, dtype: str, args: Any, generator: np.random.Generator) -> _Run:
    with jax.enable_x64(subject.wide):
        cotangent = subject.draw_cotangent(generator, args)
    args = [_cast(array, dtype) for array in args]
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):
        outputs = _supported_outputs(subject, args)
        dz = jax.tree.map(lambda d, leaf: jnp.asarray(d, leaf.dtype), cotangent, outputs)
        ours = _own_results(subject, args, dz)
        theirs = _autodiff(subject, args, dz)
    exact = jax.tree.map(_to_float64, (args, dz))
    if _samples(subject):
        expected = jax.tree.map(_to_float64, theirs)
    else:
        expected = jax.tree.map(np.asarray, subject.reference_pull(*exact))
    return _Run(exact[0], exact[1], ours, theirs, expected)


def _supported_outputs(subject: Subject, args: Any) -> Any:
    """Shapes and dtypes of the outputs; an operation that raises does not support the dtype."""
    try:
        return jax.eval_shape(subject.op, *args)
    except Exception as error:
        raise _unsupported(error) from error


def _own_results(subject: Subject, args: Any, dz: Any) -> Any:
    """The operation's results; one that cannot even be evaluated does not support the dtype."""
    try:
        return subject.pull(args, dz)
    except Exception:
        try:
            subject.value(*args)
        except Exception as error:
            raise _unsupported(error) from error
        raise


def _unsupported(error: Exception) -> UnsupportedDtypeError:
    reason = (str(error).splitlines() or [""])[0]
    return UnsupportedDtypeError(f"{type(error).__name__}: {reason}")


def _autodiff(subject: Subject, args: Any, dz: Any) -> Any:
    """The reference's results in the same dtype; None where it does not support it."""
    from_reference = subject.narrow_reference_pull
    try:
        return from_reference(args, dz)
    except Exception:
        return None


def _samples(subject: Subject) -> bool:
    """Whether an argument is a random key, with which another dtype draws other numbers."""
    keys = (jax.random.wrap_key_data,)
    return any(r in keys or getattr(r, "func", None) in keys for r in subject.layout.restores)


def _cast(array: Any, dtype: str) -> np.ndarray:
    array = np.asarray(array)
    if np.iscomplexobj(array):
        return array.astype(np.complex64)
    with np.errstate(over="ignore"):
        return array.astype(jnp.dtype(dtype)) if is_inexact(array) else array


def _to_float64(array: Any) -> np.ndarray:
    array = np.asarray(array)
    if not is_inexact(array):
        return array
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _flatten(subject: Subject, result: Any) -> Iterator[tuple[str, Any]]:
    z, cotangents = result
    for name, part in zip(("z", *subject.cotangent_names), (z, *cotangents), strict=True):
        yield from named_leaves(name, part)


def _type_mismatch(subject: Subject, run: _Run, dtype: str) -> str:
    """A description of the first array with a wrong dtype or a weak type, or ""."""
    args = [_cast(array, dtype) for array in run.args]
    promoted = _promoted(subject, args)
    if promoted:
        return promoted
    with jax.enable_x64(False):
        try:
            outputs = jax.tree.leaves(jax.eval_shape(subject.truth, *args))
        except Exception:
            outputs = jax.tree.leaves(jax.eval_shape(subject.op, *args))
    expected = [{jnp.dtype(dtype), leaf.dtype} for leaf in outputs]
    expected += [{args[i].dtype} for i in subject.reals]
    for (name, leaf), dtypes in zip(_flatten(subject, run.ours), expected, strict=True):
        if leaf.dtype not in dtypes:
            return f"{name} is {leaf.dtype}"
        if leaf.aval.weak_type and not any(
            getattr(other, "weak_type", False) and other.dtype == leaf.dtype for other in outputs
        ):
            return f"{name} is weakly typed"
    return ""


def _promoted(subject: Subject, args: Any) -> str:
    """A description of an output that becomes float64 as soon as x64 is enabled, or ""."""
    with jax.enable_x64(True):
        try:
            ours, theirs = (jax.eval_shape(f, *args) for f in (subject.op, subject.truth))
        except Exception:  # the row itself will say what is wrong
            return ""
    for (name, leaf), other in zip(named_leaves("z", ours), jax.tree.leaves(theirs), strict=True):
        if leaf.dtype != other.dtype and leaf.dtype in (np.float64, np.complex128):
            return f"{name} is {leaf.dtype} where x64 is enabled"
    return ""


def _holds(run: _Run, drawn: Any, dtype: str) -> bool:
    """Whether the dtype can hold the inputs and the results, and what float16 computes between.

    Float16 has few exponents: where plain autodiff overflows in it, so may any correct rule.
    """
    limit = float(jnp.finfo(dtype).max)
    real = [array for array in run.args if is_inexact(array)]
    smallest = float(jnp.finfo(dtype).tiny)
    normal = all(np.all((a == 0) | (np.abs(a) >= smallest)) for a in real)
    kept = all(np.array_equal(a == 0, b == 0) for a, b in zip(run.args, drawn, strict=True))
    inputs = kept and normal and share_finite((real, run.dz)) == 1.0
    between = dtype != "float16" or run.theirs is None or share_finite(run.theirs) == 1.0
    return inputs and between and largest((real, run.dz, run.expected)) < limit


def _judge(subject: Subject, run: _Run, dtype: str, where: str, base: Any) -> Check:
    """Compares one draw, in epsilons; twice autodiff's error passes where that is usable."""
    scale = _scale(subject, run, dtype, base)
    ours = _in_epsilons(subject, run.ours, run, dtype, scale, where)
    if run.theirs is None:
        return dataclasses.replace(ours, note="autodiff does not support it")
    theirs = _in_epsilons(subject, run.theirs, run, dtype, scale, where).worst
    note = f"autodiff {theirs:.1f} eps"
    if not ours.passed and base and reference_is_wrong(subject, run.args, run.dz, ours):
        return dataclasses.replace(ours, passed=True, worst=0.0, note=UNUSABLE, parts=())
    if not ours.passed:
        usable = theirs * float(jnp.finfo(dtype).eps) < _USABLE
        if usable and ours.worst <= _AUTODIFF * theirs:
            limit = _AUTODIFF * theirs
            return dataclasses.replace(ours, passed=True, allowed=limit, note=note, parts=())
        note += "" if usable else _UNUSABLE
    return dataclasses.replace(ours, note=note, example=(run.args, run.dz))


def _scale(subject: Subject, run: _Run, dtype: str, base: Any) -> list[Any]:
    """What rounding explains in each leaf, beyond an epsilon of the expected entries.

    Far from ordinary arguments, the exponential of a number of size m errs by m epsilons of
    float32, in which it is computed at least.
    """
    info = jnp.finfo(dtype)
    epsilon = float(info.eps)
    pull = subject.reference_pull
    if _samples(subject):
        pull = functools.partial(_sampled, subject, dtype)
    moved = movement(pull, run.args, run.dz, run.expected, epsilon)
    zeros = cancelled(subject, run.args, run.dz, run.expected)
    bases = base or [0.0] * len(moved)
    far = min(largest([run.args[i] for i in subject.reals]), _FAR) if base else 0.0
    leaves = [np.abs(np.asarray(leaf)) for leaf in jax.tree.leaves(run.expected)]
    return [
        m + epsilon * (z + b) + _EPSILON * far * (leaf + typical_size(leaf)) + float(info.tiny)
        for m, z, b, leaf in zip(moved, zeros, bases, leaves, strict=True)
    ]


def _sampled(subject: Subject, dtype: str, args: Any, dz: Any) -> Any:
    """The reference's results in the dtype, from arguments in float64."""
    with jax.enable_x64(False):
        narrow = [_cast(array, dtype) for array in args]
        results = _autodiff(subject, narrow, jax.tree.map(lambda d: _cast(d, dtype), dz))
    return jax.tree.map(_to_float64, results)


def _in_epsilons(
    subject: Subject, actual: Any, run: _Run, dtype: str, scale: list[Any], where: str
) -> Check:
    """The worst error; an output stored in another dtype is measured with its epsilon."""
    rows = []
    pairs = zip(_flatten(subject, actual), _flatten(subject, run.expected), scale, strict=True)
    for (name, leaf), (_, expected), moved in pairs:
        stored = leaf.dtype.name.replace("complex64", "float32")
        unit = float(jnp.finfo(stored).eps) * ALLOWED.get(stored, 16.0) / ALLOWED[dtype]
        allowed = ALLOWED[dtype] * unit
        own = unit * (np.abs(expected) + typical_size(expected))
        slack = ALLOWED[dtype] * np.maximum(moved - own, 0.0)
        row = compare(dtype, (name,), (leaf,), (expected,), allowed, where, [slack])
        rows.append(dataclasses.replace(row, worst=row.worst / unit, allowed=ALLOWED[dtype]))
    merged = worst_of(rows)
    return dataclasses.replace(merged, parts=tuple(part for row in rows for part in row.parts))
