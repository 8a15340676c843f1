"""Dropout: equations (dropout.1)-(dropout.4).

A mask m of zeros and ones selects the entries to keep, each with probability 1 - rate. Dropout is
inverted: kept entries are scaled up in training, so that prediction needs no scaling.

    z_i = m_i x_i / (1 - rate)                                                  (dropout.1)

The expected m_i is 1 - rate, so the expected z is x:

    E[z_i] = (1 - rate) x_i / (1 - rate) = x_i                                  (dropout.2)

The mask is an argument like x, drawn by the caller: given the mask nothing is random, and z is
linear in x. Each entry of z depends on its own entry of x alone, so the same factor returns in dx:

    dz_i/dx_i = m_i / (1 - rate)                                                (dropout.3)
    dx_i = dz_i m_i / (1 - rate)                                                (dropout.4)

Conventions: where m_i = 0, z_i is 0 even if x_i is infinite or NaN, and likewise dx_i for any dz_i.
Rate 0 leaves kept entries unchanged. Rate 1 gives zeros, even where the mask keeps an entry. A mask
holds booleans, or integers where any nonzero one keeps, and has no cotangent. The residual is the
mask as booleans, one byte per entry.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from ffnn_jax.layers._arguments import (
    custom_vjp_with_static,
    is_number,
    require,
    require_arrays,
    require_floating,
    upcast,
)

__all__ = ["dropout", "dropout_backward", "dropout_forward"]

Mask = Bool[Array, "..."] | Integer[Array, "..."]


def dropout_forward(
    x: Float[Array, "..."], mask: Mask, rate: float
) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Returns z and the residual, the boolean mask of kept entries."""
    _require_arguments(x, mask, rate)
    kept = mask.astype(bool)
    return _mask_and_scale(x, kept, rate), kept  # (dropout.1)


@custom_vjp_with_static(2)
def dropout(x: Float[Array, "..."], mask: Mask, rate: float) -> Float[Array, "..."]:
    """Inverted dropout: the entries that the mask keeps, divided by 1 - rate; zeros elsewhere.

    Args:
        x: array of any shape.
        mask: booleans or integers 0 and 1, in x's shape; True or 1 keeps an entry, and is drawn
            by the caller with probability 1 - rate. It has no cotangent.
        rate: probability of dropping an entry, from 0 to 1.

    Returns:
        z, equation (dropout.1), in x's shape and dtype.

    Raises:
        ValueError: x is not floating-point, the mask has another shape or is neither boolean
            nor integer, or the rate is out of range.
    """
    return dropout_forward(x, mask, rate)[0]


def dropout_backward(
    rate: float, kept: Bool[Array, "..."], dz: Float[Array, "..."]
) -> tuple[Float[Array, "..."], None]:
    """Returns (dx, None), equation (dropout.4)."""
    return _mask_and_scale(dz, kept, rate), None  # (dropout.4)


def _mask_and_scale(v: Array, kept: Array, rate: float) -> Array:
    """The kept entries of v, divided by 1 - rate and rounded once; zeros elsewhere."""
    if rate == 1:
        return jnp.zeros_like(v)
    wide = jnp.where(kept, upcast(v), jnp.zeros((), upcast(v).dtype))
    return (wide / (1 - float(rate))).astype(v.dtype)


def _require_arguments(x: Array, mask: Array, rate: float) -> None:
    name = "dropout"
    require_floating(name, x=x)
    require_arrays(name, mask=mask)
    require(mask.shape == x.shape, name, "mask", f"of shape {x.shape}", mask.shape)
    is_mask = mask.dtype == bool or jnp.issubdtype(mask.dtype, jnp.integer)
    require(is_mask, name, "mask", "boolean or of an integer dtype", mask.dtype)
    in_range = is_number(rate) and 0 <= rate <= 1
    require(in_range, name, "rate", "a number from 0 to 1", repr(rate))


dropout.defvjp(dropout_forward, dropout_backward)
