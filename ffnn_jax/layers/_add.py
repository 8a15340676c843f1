"""Addition of two branches: equations (add.1)-(add.4).

    z_i = x_i + y_i                                                             (add.1)

    dz_l/dx_i = delta_il,   dz_l/dy_i = delta_il                                (add.2)

    dx_i = sum_l dz_l delta_il = dz_i,   dy_i = sum_l dz_l delta_il = dz_i      (add.3)

Each branch receives all of dz, not a share: a change in either changes z by the same amount. In a
residual block x is u and y is f(u). There u reaches z along two paths, and its cotangents add up,
as they do wherever a value is used twice:

    du_i = dz_i + sum_l dz_l df_l/du_i                                          (add.4)

so dz reaches u undiminished for any f. There are no residuals: (add.3) needs none.
"""

import jax
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import require, require_floating

__all__ = ["add", "add_backward", "add_forward"]


def add_forward(x: Float[Array, "..."], y: Float[Array, "..."]) -> tuple[Float[Array, "..."], None]:
    """Returns z and no residuals."""
    require_floating("add", x=x, y=y)
    require(y.shape == x.shape, "add", "y", f"of x's shape {x.shape}", y.shape)
    return x + y, None  # (add.1)


@jax.custom_vjp
def add(x: Float[Array, "..."], y: Float[Array, "..."]) -> Float[Array, "..."]:
    """The elementwise sum of two branches, without broadcasting.

    Args:
        x: array of any shape.
        y: array of x's shape and dtype.

    Returns:
        z, equation (add.1), with the same shape and dtype.

    Raises:
        ValueError: the shapes or dtypes differ, or the dtype is not floating-point.
    """
    return add_forward(x, y)[0]


def add_backward(
    residual: None, dz: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Returns (dx, dy), equation (add.3)."""
    return dz, dz  # (add.3)


add.defvjp(add_forward, add_backward)
