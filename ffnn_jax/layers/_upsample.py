"""Upsampling of images by a whole factor: equations (upsample.1)-(upsample.7).

Row i of the output is i = f h + p: it lies in row h of the input, at phase p, 0 <= p < f, and
likewise column j = f w + q. Nearest: every pixel fills a block.

    z[n, f h + p, f w + q, c] = x[n,h,w,c]                                      (upsample.1)

It collects the cotangents of the block:

    dx[n,h,w,c] = sum_p sum_q dz[n, f h + p, f w + q, c]                        (upsample.2)

Bilinear: linear interpolation along one axis, then along the other. Along one, the centre of output
pixel f h + p, in units of input pixels from the centre of the first, is

    (f h + p + 1/2) / f - 1/2 = h + d_p,   d_p = (p + 1/2) / f - 1/2            (upsample.3)

so it lies before that of x_h if d_p < 0, after it if d_p > 0, and less than 1/2 away:

    z_{f h + p} = (1 - |d_p|) x_h + |d_p| x_{h - 1}  or  x_{h + 1}              (upsample.4)

where the edges are repeated: x_{-1} = x_0 and x_H = x_{H-1}.

Each output pixel reads x_h, and the early ones of a row its predecessor, the late ones its
successor. What row h hands back to each is

    own_h = sum_p (1 - |d_p|) dz_{f h + p},   early_h = sum_{d_p < 0} |d_p| dz_{f h + p},
    late_h = sum_{d_p > 0} |d_p| dz_{f h + p}                                   (upsample.5)

So x_h receives early_{h+1} and late_{h-1}, too, where there are such rows. The non-obvious step is
the edge: x_0 is also x_{-1}, and x_{H-1} is also x_H.

    dx_h = own_h + early_{h+1} + late_{h-1} + [h = 0] early_0 + [h = H-1] late_{H-1}  (upsample.6)

The backward of two steps is that of each, in reverse order:

    z = along_columns(along_rows(x)),   dx = along_rows^T(along_columns^T(dz))  (upsample.7)

The pixels' centres and edges are those of ``jax.image.resize``, and of PyTorch's ``interpolate``
with ``align_corners=False``. No residuals: the weights depend on f alone. As products with an f H
by H matrix per axis, the forward takes 2 to 3 times as long.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import (
    custom_vjp_with_static,
    is_integer,
    require,
    require_floating,
    upcast,
)

__all__ = ["upsample2d", "upsample2d_backward", "upsample2d_forward"]

Images = Float[Array, "N H W C"]
Enlarged = Float[Array, "N H_out W_out C"]
_ROWS, _COLUMNS = 1, 2


def upsample2d_forward(x: Images, factor: int, method: str = "nearest") -> tuple[Enlarged, None]:
    """Returns z and no residuals."""
    _require_arguments(x, factor, method)
    if method == "nearest" or factor == 1:
        return jnp.repeat(jnp.repeat(x, factor, _ROWS), factor, _COLUMNS), None  # (upsample.1)
    z = _interpolate(_interpolate(upcast(x), factor, _ROWS), factor, _COLUMNS)  # (upsample.7)
    return z.astype(x.dtype), None


@custom_vjp_with_static(1, 2)
def upsample2d(x: Images, factor: int, method: str = "nearest") -> Enlarged:
    """Images enlarged by a whole factor.

    Args:
        x: images, batch first, channels last.
        factor: pixels of the output per pixel of the input, along each axis.
        method: "nearest" repeats pixels, "bilinear" interpolates between their centres.

    Returns:
        z, equation (upsample.1) or (upsample.4), of size factor H by factor W.

    Raises:
        ValueError: x is not a floating-point array (N, H, W, C) with pixels, or a setting is
            invalid.
    """
    return upsample2d_forward(x, factor, method)[0]


def upsample2d_backward(factor: int, method: str, residual: None, dz: Enlarged) -> tuple[Images]:
    """Returns (dx,), equation (upsample.2) or (upsample.7)."""
    if method == "nearest" or factor == 1:
        blocks = _phases(_phases(upcast(dz), factor, _COLUMNS), factor, _ROWS)
        dx = jnp.sum(blocks, axis=(2, 4))  # (upsample.2)
    else:
        dx = _collect(_collect(upcast(dz), factor, _COLUMNS), factor, _ROWS)  # (upsample.7)
    return (dx.astype(dz.dtype),)


def _interpolate(x: Array, factor: int, axis: int) -> Array:
    """Linear interpolation along one axis."""
    size, cut = x.shape[axis], functools.partial(lax.slice_in_dim, x, axis=axis)
    previous = jnp.concatenate((cut(0, 1), cut(0, size - 1)), axis)
    following = jnp.concatenate((cut(1, size), cut(size - 1, size)), axis)
    z = [(1 - abs(d)) * x + abs(d) * (previous if d < 0 else following) for d in _offsets(factor)]
    whole = (*x.shape[:axis], factor * size, *x.shape[axis + 1 :])
    return jnp.stack(z, axis + 1).reshape(whole)  # (upsample.4)


def _collect(dz: Array, factor: int, axis: int) -> Array:
    """The transpose of the interpolation along one axis."""
    split, offsets = _phases(dz, factor, axis), list(enumerate(_offsets(factor)))

    def weighted(weight: Callable[[float], float]) -> Callable[..., Array]:
        used = [(weight(d), lax.index_in_dim(split, p, axis + 1, False)) for p, d in offsets]
        first, *others = (w * phase for w, phase in used if w > 0)
        total = sum(others, first)
        return functools.partial(lax.slice_in_dim, total, axis=axis)

    own = weighted(lambda d: 1 - abs(d))  # (upsample.5)
    early, late = weighted(lambda d: -d), weighted(lambda d: d)
    end = split.shape[axis]
    zero, zeros = jnp.zeros_like(own(0, 1)), jnp.zeros_like(own(1, end))
    neighbours = (early(1, end), zero), (zero, late(0, end - 1))
    edges = (early(0, 1), zeros), (zeros, late(end - 1, end))
    moved = (jnp.concatenate(pair, axis) for pair in (*neighbours, *edges))
    return sum(moved, own(0, end))  # (upsample.6)


def _offsets(factor: int) -> list[float]:
    return [(phase + 0.5) / factor - 0.5 for phase in range(factor)]  # (upsample.3)


def _phases(dz: Array, factor: int, axis: int) -> Array:
    """Splits an axis of f H entries into (H, f)."""
    return dz.reshape(*dz.shape[:axis], dz.shape[axis] // factor, factor, *dz.shape[axis + 1 :])


def _require_arguments(x: Array, factor: int, method: str) -> None:
    name = "upsample2d"
    require_floating(name, x=x)
    images = x.ndim == 4 and min(x.shape[1:3]) > 0
    require(images, name, "x", "of shape (N, H, W, C), H and W > 0", x.shape)
    require(is_integer(factor, 1), name, "factor", "an integer of at least 1", repr(factor))
    known = isinstance(method, str) and method in ("nearest", "bilinear")
    require(known, name, "method", '"nearest" or "bilinear"', repr(method))


upsample2d.defvjp(upsample2d_forward, upsample2d_backward)
