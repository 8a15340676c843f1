"""Dropout: equations (dropout.1)-(dropout.4).

A mask m of zeros and ones says which entries are kept, and each is kept with probability 1 - rate.
Dropout is inverted: what is kept is scaled up now, so that nothing is left to do at prediction.

    z_i = m_i x_i / (1 - rate)                                                  (dropout.1)

The expected m_i is 1 - rate, so the expected z is x:

    E[z_i] = (1 - rate) x_i / (1 - rate) = x_i                                  (dropout.2)

The mask is an argument like x, drawn by the caller: once it is there nothing is random, and z is
linear in x. An entry depends on its own entry of x alone, through the same factor both ways:

    dz_i/dx_i = m_i / (1 - rate)                                                (dropout.3)
    dx_i = dz_i m_i / (1 - rate)                                                (dropout.4)

Conventions: where m_i = 0, z_i is 0 whatever x_i is, infinite or NaN; so is dx_i whatever dz_i is.
Rate 0 leaves what is kept as it is. Rate 1 gives zeros, even where the mask keeps an entry. A mask
holds booleans, or integers of which any but 0 is kept, and has no cotangent. The residual is which
entries are kept, one byte each.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from ffnn_jax.layers._arguments import (
    custom_vjp_with_static,
    is_number,
    require,
    require_floating,
    upcast,
)

__all__ = ["dropout", "dropout_backward", "dropout_forward"]

Mask = Bool[Array, "..."] | Integer[Array, "..."]


def dropout_forward(
    x: Float[Array, "..."], mask: Mask, rate: float
) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Returns z and the residual, which entries are kept."""
    _require_arguments(x, mask, rate)
    kept = mask.astype(bool)
    return _kept_and_scaled(x, kept, rate), kept  # (dropout.1)


@custom_vjp_with_static(2)
def dropout(x: Float[Array, "..."], mask: Mask, rate: float) -> Float[Array, "..."]:
    """Inverted dropout: entries that the mask keeps, divided by 1 - rate; zeros elsewhere.

    Args:
        x: any shape.
        mask: of x's shape, booleans or integers 0 and 1: true or 1 is kept, which the caller
            draws with probability 1 - rate. It has no cotangent.
        rate: the probability to drop an entry, from 0 to 1.

    Returns:
        z, equation (dropout.1), of x's shape and dtype.

    Raises:
        ValueError: x is not floating-point, the mask is of another shape or neither boolean nor
            of an integer dtype, or the rate is out of range.
    """
    return dropout_forward(x, mask, rate)[0]


def dropout_backward(
    rate: float, kept: Bool[Array, "..."], dz: Float[Array, "..."]
) -> tuple[Float[Array, "..."], None]:
    """Returns (dx, None), equation (dropout.4)."""
    return _kept_and_scaled(dz, kept, rate), None  # (dropout.4)


def _kept_and_scaled(v: Array, kept: Array, rate: float) -> Array:
    """The kept entries of v, divided by 1 - rate and rounded once; zeros elsewhere."""
    if rate == 1:
        return jnp.zeros_like(v)
    wide = jnp.where(kept, upcast(v), jnp.zeros((), upcast(v).dtype))
    return (wide / (1 - float(rate))).astype(v.dtype)


def _require_arguments(x: Array, mask: Array, rate: float) -> None:
    name = "dropout"
    require_floating(name, x=x)
    require(mask.shape == x.shape, name, "mask", f"of shape {x.shape}", mask.shape)
    whole = mask.dtype == bool or jnp.issubdtype(mask.dtype, jnp.integer)
    require(whole, name, "mask", "boolean or of an integer dtype", mask.dtype)
    inside = is_number(rate) and 0 <= rate <= 1
    require(inside, name, "rate", "a number from 0 to 1", repr(rate))


dropout.defvjp(dropout_forward, dropout_backward)
