"""The leaky rectified linear unit: equations (leaky.1)-(leaky.3).

The slope is a setting, a number with 0 <= slope < 1:

    z_i = max(x_i, 0) + slope min(x_i, 0)                                       (leaky.1)

Left of zero the first term is constant and the second is slope x_i, right of zero the first is
x_i and the second is constant:

    dz_i/dx_i = slope if x_i < 0,  1 if x_i > 0                                 (leaky.2)

No other output depends on x_i, so the chain rule's sum over outputs has one term:

    dx_i = sum_l dz_l dz_l/dx_i = slope dz_i if x_i < 0,  dz_i if x_i > 0       (leaky.3)

At the kink x_i = 0 (leaky.1) has no derivative. Every number in [slope, 1] is a subgradient there;
this library takes the slope, so (leaky.3) reads dx_i = dz_i if x_i > 0, else slope dz_i. A NaN
passes through forward, and its cotangent is slope dz_i. With slope 0 this reduces to (17)-(19),
bit for bit equal to relu.

The residual is [x > 0], one byte per element: the backward pass needs nothing else of x.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ffnn_jax.layers._arguments import (
    custom_vjp_with_static,
    is_number,
    require,
    require_floating,
    upcast,
)

__all__ = ["leaky_relu", "leaky_relu_backward", "leaky_relu_forward"]


def leaky_relu_forward(
    x: Float[Array, "..."], slope: float = 0.01
) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Returns z and the residual [x > 0]."""
    _require_arguments(x, slope)
    z = jnp.where(x <= 0, _times(slope, x), x)  # (leaky.1)
    return z, x > 0


@custom_vjp_with_static(1)
def leaky_relu(x: Float[Array, "..."], slope: float = 0.01) -> Float[Array, "..."]:
    """The leaky rectified linear unit, elementwise, with the slope as its derivative at 0.

    z = max(x, 0) + slope min(x, 0).

    Args:
        x: array of any shape.
        slope: derivative where x is not above 0; at least 0 (relu) and below 1.

    Returns:
        z, equation (leaky.1), in the shape of x.

    Raises:
        ValueError: x is not floating-point, or the slope is out of range.
    """
    return leaky_relu_forward(x, slope)[0]


def leaky_relu_backward(
    slope: float, positive: Bool[Array, "..."], dz: Float[Array, "..."]
) -> tuple[Float[Array, "..."]]:
    """Returns (dx,), equation (leaky.3)."""
    dx = jnp.where(positive, dz, _times(slope, dz))  # (leaky.3)
    return (dx,)


def _times(slope: float, v: Array) -> Array:
    """The product, rounded once to v's dtype; 0 for slope 0, even where v is not finite."""
    if slope == 0:
        return jnp.zeros_like(v)
    return (float(slope) * upcast(v)).astype(v.dtype)


def _require_arguments(x: Array, slope: float) -> None:
    name = "leaky_relu"
    require_floating(name, x=x)
    in_range = is_number(slope) and 0 <= slope < 1
    require(in_range, name, "slope", "a number of at least 0 and below 1", repr(slope))


leaky_relu.defvjp(leaky_relu_forward, leaky_relu_backward)
