"""The rectified linear unit: equations (17)-(19).

    z_i = max(x_i, 0)                                                           (17)

Left of zero z is constant, right of zero it is the identity:

    dz_i/dx_i = 0 if x_i < 0,  1 if x_i > 0                                     (18)

    dx_i = sum_l dz_l dz_l/dx_i = 0 if x_i < 0,  dz_i if x_i > 0                (19)

At the kink x_i = 0 (17) has no derivative. Every number in [0, 1] is a subgradient there; this
library takes 0, so (19) reads dx_i = dz_i [x_i > 0]. A NaN passes through forward, and its
cotangent is 0.

The residual is [x > 0], one byte per element: the backward pass needs nothing else of x.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ffnn_jax.layers._arguments import require_floating

__all__ = ["relu", "relu_backward", "relu_forward"]


def relu_forward(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Returns z and the residual [x > 0]."""
    require_floating("relu", "dtype", x=x)  # a Python number under grad is traced and has one
    z = jnp.where(x <= 0, jnp.zeros_like(x), x)  # (17)
    return z, x > 0


@jax.custom_vjp
def relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The rectified linear unit, elementwise: z = max(x, 0), with derivative 0 at 0.

    Args:
        x: array of any shape.

    Returns:
        z, equation (17), in the shape of x.

    Raises:
        ValueError: x is not floating-point.
    """
    return relu_forward(x)[0]


def relu_backward(
    positive: Bool[Array, "..."], dz: Float[Array, "..."]
) -> tuple[Float[Array, "..."]]:
    """Returns (dx,), equation (19)."""
    dx = jnp.where(positive, dz, jnp.zeros_like(dz))  # (19)
    return (dx,)


relu.defvjp(relu_forward, relu_backward)
