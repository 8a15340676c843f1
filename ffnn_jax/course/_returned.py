"""Whether a backward returns what it should: a cotangent for each argument, of its shape."""

import functools
from typing import Any

import jax
import numpy as np

from ffnn_jax.catalogue import OpSpec
from ffnn_jax.verify import argument_names


def problem_of_result(spec: OpSpec, setting: int) -> str:
    """What is wrong with the structure of what the backward returns, in one line; "" for nothing.

    What it raises is left to the checks.
    """
    case, (_, sizes) = spec.cases[setting], spec.rules()[setting]
    args = spec.draw_arguments(case, sizes[0])
    forward = functools.partial(spec.op.fwd, **case.static)
    backward = functools.partial(spec.op.bwd, *case.static.values())
    try:
        with jax.enable_x64(True):  # as in the checks
            z, residuals = jax.eval_shape(forward, *args)
            returned = jax.eval_shape(backward, residuals, z)
    except Exception:
        return ""
    problem = _problem_of(returned, args, argument_names(spec.op)[: len(args)])
    return f"{spec.name}_backward {problem}" if problem else ""


def _problem_of(returned: Any, args: list[np.ndarray], names: Any) -> str:
    if returned is None:
        return "returns nothing: is its return missing?"
    if not isinstance(returned, tuple | list):
        return f"returns one array, not a tuple of cotangents, {_all(len(args))}"
    if len(returned) != len(args):
        return f"returns {len(returned)} cotangents, {_all(len(args))}"
    for name, cotangent, array in zip(names, returned, args, strict=True):
        shape = getattr(cotangent, "shape", None)
        if array.dtype.kind == "f" and shape not in (None, array.shape):
            return f"returns a d{name} of shape {shape}, but {name} has shape {array.shape}"
    return ""


def _all(count: int) -> str:
    return f"one for each of {count} array arguments" if count > 1 else "as in return (dx,)"
