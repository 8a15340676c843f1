"""Checks in the dtypes that people train in, on the device at hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at
from ffnn_jax.verify._compare import named_leaves
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Subject

# Epsilons allowed, relative to the right value plus the typical size of its array: a float32
# rule may add up some thousand terms, a narrower one rounds residuals and results alone.
ALLOWED = {"float32": 16.0, "bfloat16": 4.0, "float16": 4.0}
DTYPES = tuple(ALLOWED)
# A float64 truth below this share of the incoming cotangent is rounding left of a sum that cancels.
_CANCELLED = 2.0**-40


def check_dtype(subject: Subject, dtype: str, sizes: Sizes, seed: int) -> Check:
    """Value and cotangents have the dtypes that they should, and little more than their rounding.

    A cotangent has its argument's dtype; an output the asked one, or the one that the reference
    has on the same arguments, as statistics that are kept in float32. Both are compared with the
    reference in float64 on the same numbers. The worst error is in units of the dtype's epsilon;
    plain autodiff's, in the same dtype, is noted beside it. Where the right value is nothing but
    float64's rounding, as for a loss with one class, errors are relative to the incoming
    cotangent. Sees sums in half precision, results that were promoted, weak types.
    """
    generator = np.random.default_rng(seed)
    args = [_narrow(arg, dtype) for arg in subject.draw(generator, sizes)]
    drawn = subject.draw_cotangent(generator, args)
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):
        outputs, plain = (jax.eval_shape(f, *args) for f in (subject.op, subject.reference))
        dz = _cast_as(drawn, outputs)
        ours = subject.pull(args, dz)
        theirs = subject.reference_pull(args, _cast_as(dz, plain))
    wide = jax.tree.map(_widen, (args, dz))
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        truth = jax.tree.map(np.asarray, subject.reference_pull(*wide))
    wrong = _wrong_type(subject, ours, plain, args, dtype)
    if wrong:
        return Check(dtype, False, float("inf"), ALLOWED[dtype], wrong + at(sizes), "another dtype")
    scale = max(float(np.abs(leaf).max(initial=0)) for leaf in jax.tree.leaves(wide[1]))
    error, where = _worst(subject, ours, truth, dtype, scale)
    autodiff, _ = _worst(subject, theirs, truth, dtype, scale)
    note = f"autodiff {autodiff:.1f} eps"
    return Check(dtype, error <= ALLOWED[dtype], error, ALLOWED[dtype], where + at(sizes), note)


def _narrow(array: Any, dtype: str) -> np.ndarray:
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.integer) else array.astype(jnp.dtype(dtype))


def _cast_as(arrays: Any, others: Any) -> Any:
    return jax.tree.map(lambda array, other: array.astype(other.dtype), arrays, others)


def _widen(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.integer) else array.astype(np.float64)


def _named(subject: Subject, result: Any) -> list[tuple[str, Any]]:
    z, cotangents = result
    parts = zip(("z", *subject.cotangent_names), (z, *cotangents), strict=True)
    return [named for name, part in parts for named in named_leaves(name, part)]


def _wrong_type(subject: Subject, result: Any, plain: Any, args: Any, dtype: str) -> str:
    """The first part that has another dtype or a weak type, in words."""
    outputs = [{jnp.dtype(dtype), leaf.dtype} for leaf in jax.tree.leaves(plain)]
    allowed = [*outputs, *({args[place].dtype} for place in subject.reals)]
    for (name, leaf), dtypes in zip(_named(subject, result), allowed, strict=True):
        if leaf.dtype not in dtypes:
            return f"{name} is {leaf.dtype}"
        if leaf.aval.weak_type:
            return f"{name} is weakly typed"
    return ""


def _worst(
    subject: Subject, actual: Any, truth: Any, dtype: str, scale: float
) -> tuple[float, str]:
    """The largest error in units of epsilon, and where.

    An output that is kept in another dtype has that one's epsilon and that one's allowance.
    """
    worst, where = 0.0, ""
    parts = zip(_named(subject, actual), _named(subject, truth), strict=True)
    for (name, leaf), (_, right) in parts:
        if not right.size:
            continue
        size = np.sqrt(np.mean(right**2))
        if 0 < size < _CANCELLED * scale:
            size = scale
        typical = np.abs(right) + size + np.finfo(np.float32).tiny
        error = np.abs(np.asarray(leaf, np.float64) - right) / typical
        error = np.where(np.isnan(error), np.inf, error) / _unit(leaf.dtype.name, dtype)
        index = np.unravel_index(int(np.argmax(error)), error.shape)
        if error[index] > worst or not where:
            place = list(map(int, index)) if index else ""
            worst, where = float(error[index]), f"{name}{place}"
    return worst, where


def _unit(kept: str, dtype: str) -> float:
    """The epsilon of the dtype that an array is kept in, so that ``dtype``'s are allowed of it."""
    return float(jnp.finfo(kept).eps) * ALLOWED[kept] / ALLOWED[dtype]
