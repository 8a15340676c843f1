"""Checks in the dtypes used for training, on the default device."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import named_leaves
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Subject

# Allowed error in epsilons, relative to the expected value plus the typical size of its array: a
# float32 rule may sum thousands of terms, a half-precision one only rounds residuals and results.
ALLOWED = {"float32": 16.0, "bfloat16": 4.0, "float16": 4.0}
DTYPES = tuple(ALLOWED)
# A float64 value below this fraction of the incoming cotangent is rounding error of a zero.
_CANCELLATION = 2.0**-40


def check_dtype(subject: Subject, dtype: str, sizes: Sizes, seed: int) -> Check:
    """Value and cotangents have the correct dtypes, and errors of only a few epsilons.

    A cotangent has its argument's dtype; an output has ``dtype``, or the dtype that the reference
    returns for the same arguments, such as statistics in float32. Both are compared with the
    reference in float64 on the same numbers. The worst error is in units of the dtype's epsilon;
    the error of autodiff in the same dtype is noted beside it. Where the expected value is only
    float64 rounding, as for a loss with one class, errors are relative to the incoming
    cotangent. Detects sums in half precision, promoted results and weak types.
    """
    generator = np.random.default_rng(seed)
    args = [_cast_reals(arg, dtype) for arg in subject.draw(generator, sizes)]
    cotangent = subject.draw_cotangent(generator, args)
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):
        outputs, reference_outputs = (
            jax.eval_shape(f, *args) for f in (subject.op, subject.reference)
        )
        dz = _cast_like(cotangent, outputs)
        ours = subject.pull(args, dz)
        theirs = subject.reference_pull(args, _cast_like(dz, reference_outputs))
    exact_inputs = jax.tree.map(_to_float64, (args, dz))
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        expected_result = jax.tree.map(np.asarray, subject.reference_pull(*exact_inputs))
    mismatch = _type_mismatch(subject, ours, reference_outputs, args, dtype)
    if mismatch:
        return Check(
            dtype, False, float("inf"), ALLOWED[dtype], mismatch + at_sizes(sizes), "wrong type"
        )
    scale = max(float(np.abs(leaf).max(initial=0)) for leaf in jax.tree.leaves(exact_inputs[1]))
    error, where = _worst_error(subject, ours, expected_result, dtype, scale)
    autodiff, _ = _worst_error(subject, theirs, expected_result, dtype, scale)
    note = f"autodiff {autodiff:.1f} eps"
    return Check(
        dtype, error <= ALLOWED[dtype], error, ALLOWED[dtype], where + at_sizes(sizes), note
    )


def _cast_reals(array: Any, dtype: str) -> np.ndarray:
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.integer) else array.astype(jnp.dtype(dtype))


def _cast_like(arrays: Any, templates: Any) -> Any:
    return jax.tree.map(lambda array, template: array.astype(template.dtype), arrays, templates)


def _to_float64(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.integer) else array.astype(np.float64)


def _flatten(subject: Subject, result: Any) -> list[tuple[str, Any]]:
    z, cotangents = result
    parts = zip(("z", *subject.cotangent_names), (z, *cotangents), strict=True)
    return [named for name, part in parts for named in named_leaves(name, part)]


def _type_mismatch(
    subject: Subject, result: Any, reference_outputs: Any, args: Any, dtype: str
) -> str:
    """A description of the first array with a wrong dtype or a weak type, or ""."""
    outputs = [{jnp.dtype(dtype), leaf.dtype} for leaf in jax.tree.leaves(reference_outputs)]
    allowed = [*outputs, *({args[i].dtype} for i in subject.reals)]
    for (name, leaf), dtypes in zip(_flatten(subject, result), allowed, strict=True):
        if leaf.dtype not in dtypes:
            return f"{name} is {leaf.dtype}"
        if leaf.aval.weak_type:
            return f"{name} is weakly typed"
    return ""


def _worst_error(
    subject: Subject, actual: Any, expected_result: Any, dtype: str, scale: float
) -> tuple[float, str]:
    """The largest error in units of epsilon, and its location.

    An output stored in another dtype is measured with that dtype's epsilon and tolerance.
    """
    worst, where = 0.0, ""
    parts = zip(_flatten(subject, actual), _flatten(subject, expected_result), strict=True)
    for (name, leaf), (_, expected) in parts:
        if not expected.size:
            continue
        size = np.sqrt(np.mean(expected**2))
        if 0 < size < _CANCELLATION * scale:
            size = scale
        typical = np.abs(expected) + size + np.finfo(np.float32).tiny
        error = np.abs(np.asarray(leaf, np.float64) - expected) / typical
        error = np.where(np.isnan(error), np.inf, error) / _epsilon(leaf.dtype.name, dtype)
        index = np.unravel_index(int(np.argmax(error)), error.shape)
        if error[index] > worst or not where:
            position = list(map(int, index)) if index else ""
            worst, where = float(error[index]), f"{name}{position}"
    return worst, where


def _epsilon(stored: str, dtype: str) -> float:
    """The epsilon of ``stored``, rescaled so that the tolerance of ``dtype`` applies to it."""
    return float(jnp.finfo(stored).eps) * ALLOWED[stored] / ALLOWED[dtype]
