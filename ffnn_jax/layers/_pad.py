"""Padding of images by a constant: equations (pad.1)-(pad.3).

t rows are put above the image and b below it, l columns to its left and r to its right:

    z[n,i,j,c] = x[n, i - t, j - l, c]  inside of the image,  value outside     (pad.1)

A pixel of x is one pixel of z, and the value does not depend on x:

    dz[n,i,j,c]/dx[n,h,w,c] = 1 if i = h + t and j = w + l, else 0              (pad.2)
    dx[n,h,w,c] = dz[n, h + t, w + l, c]                                        (pad.3)

By (pad.3) dz is cropped, and what it says of the border is dropped. There are no residuals. The
value may be -infinity, which a maximum ignores.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    custom_vjp_with_static,
    is_integer,
    is_number,
    require,
    require_floating,
)

__all__ = ["pad", "pad_backward", "pad_forward"]

Images = Float[Array, "N H W C"]
Padded = Float[Array, "N H_out W_out C"]
Width = int | tuple[tuple[int, int], tuple[int, int]]


def pad_forward(x: Images, width: Width, value: float = 0.0) -> tuple[Padded, None]:
    """Returns z and no residuals."""
    _require_arguments(x, width, value)
    constant = jnp.asarray(float(value), x.dtype)
    return jnp.pad(x, ((0, 0), *_sides(width), (0, 0)), constant_values=constant), None  # (pad.1)


@custom_vjp_with_static(1, 2)
def pad(x: Images, width: Width, value: float = 0.0) -> Padded:
    """Images with a border of a constant value.

    Args:
        x: images, batch first, channels last.
        width: pixels on every side, or ((top, bottom), (left, right)).
        value: the border's value.

    Returns:
        z, equation (pad.1), of size H + top + bottom by W + left + right.

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C), or a setting is invalid.
    """
    return pad_forward(x, width, value)[0]


def pad_backward(width: Width, value: float, residual: None, dz: Padded) -> tuple[Images]:
    """Returns (dx,), equation (pad.3)."""
    (top, bottom), (left, right) = _sides(width)
    dx = dz[:, top : dz.shape[1] - bottom, left : dz.shape[2] - right]  # (pad.3)
    return (dx,)


def _sides(width: Width) -> tuple[tuple[int, int], tuple[int, int]]:
    return width if isinstance(width, tuple) else ((width, width), (width, width))


def _require_arguments(x: Array, width: Width, value: float) -> None:
    name = "pad"
    require_floating(name, x=x)
    require(x.ndim == 4, name, "x", "of shape (N, H, W, C)", x.shape)
    expected = "at least 0, or ((top, bottom), (left, right)) of such integers"
    require(_is_width(width), name, "width", expected, repr(width))
    valid = is_number(value) and not math.isnan(value)
    require(valid, name, "value", "a number", repr(value))


def _is_width(width: object) -> bool:
    def pair(value: object, holds: Callable[[object], bool]) -> bool:
        return isinstance(value, tuple) and len(value) == 2 and all(map(holds, value))

    def is_size(value: object) -> bool:
        return is_integer(value, 0)

    return is_size(width) or pair(width, lambda side: pair(side, is_size))


pad.defvjp(pad_forward, pad_backward)
