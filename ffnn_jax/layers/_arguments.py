"""Argument checks shared by the chapters, and the dtypes in which they compute.

Mixed precision follows one rule for every operation with parameters:

- a parameter has x's dtype, or float32 if x is narrower (bfloat16, float16);
- it is cast to x's dtype where it enters a matrix product, and nowhere else;
- products are summed, and all else is computed, in at least float32 (``accumulation_dtype``);
- z and dx are rounded to x's dtype once;
- a parameter's gradient is summed and returned in the parameter's dtype: a float32 parameter's
  is float32 throughout, never rounded to x's dtype on the way.

Autodiff of the same definition violates the last point: it rounds the gradient of the cast
parameter to x's dtype and casts it back. In bfloat16 over 16,384 rows that is a relative error of
1.7e-3 in the gradient, against less than 2e-7 here (``experiments/mixed_precision.py``).
"""

import functools
from collections.abc import Callable
from numbers import Integral, Real
from typing import TypeGuard, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

Result = TypeVar("Result")


def custom_vjp_with_static(
    *argnums: int,
) -> Callable[[Callable[..., Result]], jax.custom_vjp[Result]]:
    """``jax.custom_vjp`` with static arguments at these positions: Python values, not arrays."""
    return functools.partial(jax.custom_vjp, nondiff_argnums=argnums)  # type: ignore[return-value]


def is_integer(value: object, least: int) -> bool:
    """Whether value is an integer of at least ``least``; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def is_number(value: object) -> TypeGuard[float]:
    """Whether value is a Python or numpy real number; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def require(holds: bool, function: str, argument: str, expected: str, got: object) -> None:
    """Raises ValueError, naming the function and the argument, unless ``holds``."""
    if not holds:
        raise ValueError(f"{function}: {argument} must be {expected}, got {got}")


def require_arrays(function: str, trait: str = "ndim", /, **arguments: object) -> None:
    """Raises TypeError, naming the argument, unless all are arrays, of jax or numpy."""
    for name, value in arguments.items():
        if not hasattr(value, trait):
            raise TypeError(f"{function}: {name} must be an array, not a list or a Python number")


def require_floating(function: str, trait: str = "ndim", /, **arrays: Array) -> None:
    """Raises ValueError unless all arrays share one floating-point dtype."""
    require_arrays(function, trait, **arrays)
    (first, head), *rest = arrays.items()
    floating = jnp.issubdtype(head.dtype, jnp.floating)
    require(floating, function, first, "of a floating-point dtype", head.dtype)
    for name, array in rest:
        same = array.dtype == head.dtype
        require(same, function, name, f"of {first}'s dtype {head.dtype}", array.dtype)


def require_parameters(function: str, x: Array, **parameters: Array) -> None:
    """Raises ValueError unless parameters all have x's dtype, or all float32 if x is narrower."""
    require_floating(function, x=x)
    require_arrays(function, **parameters)
    (first, head), *_ = parameters.items()
    wide = accumulation_dtype(x)
    allowed = f"of x's dtype {x.dtype}" + (f" or {wide}" if wide != x.dtype else "")
    for name, parameter in parameters.items():
        require(parameter.dtype in (x.dtype, wide), function, name, allowed, parameter.dtype)
        same = parameter.dtype == head.dtype
        require(same, function, name, f"of {first}'s dtype {head.dtype}", parameter.dtype)


def cast_to_compute(parameter: Array, x: Array) -> Array:
    """The parameter in x's dtype, for a matrix product."""
    return parameter.astype(x.dtype)


def accumulation_dtype(array: Array) -> jnp.dtype:
    """The dtype for sums over ``array``: its own, but at least float32."""
    return array.dtype if jnp.finfo(array.dtype).bits >= 32 else jnp.dtype(jnp.float32)


def upcast(array: Array) -> Array:
    """The array in the accumulation dtype."""
    return array.astype(accumulation_dtype(array))


def product(a: Array, b: Array) -> Array:
    """The matrix product a b, summed and returned in the accumulation dtype."""
    return jnp.matmul(a, b, preferred_element_type=accumulation_dtype(a))
