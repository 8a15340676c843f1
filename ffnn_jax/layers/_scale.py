"""Multiplication by a learned factor: equations (scale.1)-(scale.4).

The factor is one number, or one for each channel, the last axis of x; m indexes the other axes:

    z_mc = factor_c x_mc                                                        (scale.1)

The factor of a channel is used by all its rows, so its cotangent is a sum over them:

    dx_mc = dz_mc factor_c                                                      (scale.2)
    dfactor_c = sum_m dz_mc x_mc                                                (scale.3)

A single factor is one that all channels share, and their cotangents add up once more:

    dfactor = sum_c sum_m dz_mc x_mc                                            (scale.4)

A factor that starts at 0 makes a residual block the identity, and still learns: dfactor does not
contain it. The residuals are x and the factor. A factor of 0 times an infinite x is NaN.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import require, require_parameters, upcast

__all__ = ["scale", "scale_backward", "scale_forward"]

Factor = Float[Array, ""] | Float[Array, " C"]


def scale_forward(
    x: Float[Array, "..."], factor: Factor
) -> tuple[Float[Array, "..."], tuple[Float[Array, "..."], Factor]]:
    """Returns z and the residuals."""
    require_parameters("scale", x, factor=factor)
    expected = f"of shape () or {x.shape[-1:]}"
    require(factor.shape in ((), x.shape[-1:]), "scale", "factor", expected, factor.shape)
    return _times(x, factor), (x, factor)  # (scale.1)


@jax.custom_vjp
def scale(x: Float[Array, "..."], factor: Factor) -> Float[Array, "..."]:
    """The product of x and a factor, which is shared by all channels or one for each.

    Args:
        x: array of any shape.
        factor: a number (), or one (C) for each entry of x's last axis, in x's dtype, or float32
            if x is narrower.

    Returns:
        z, equation (scale.1), in x's shape and dtype.

    Raises:
        ValueError: shapes or dtypes do not match, or x is not floating-point.
    """
    return scale_forward(x, factor)[0]


def scale_backward(
    residuals: tuple[Float[Array, "..."], Factor], dz: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Factor]:
    """Returns (dx, dfactor): (scale.2), and (scale.3) or (scale.4)."""
    x, factor = residuals
    dx = _times(dz, factor)  # (scale.2)
    shared = tuple(range(x.ndim - factor.ndim))
    dfactor = jnp.sum(upcast(dz) * upcast(x), axis=shared)  # (scale.3), (scale.4)
    return dx, dfactor.astype(factor.dtype)


def _times(v: Array, factor: Array) -> Array:
    """The product, rounded once to v's dtype."""
    spread = upcast(factor).reshape((1,) * (v.ndim - factor.ndim) + factor.shape)
    return (upcast(v) * spread).astype(v.dtype)


scale.defvjp(scale_forward, scale_backward)
