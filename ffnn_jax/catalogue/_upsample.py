"""Upsampling of images."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_dz
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import upsample2d, upsample2d_backward

_BILINEAR, _THREE = 1, 2


def reference_upsample2d(x: Array, factor: int, method: str = "nearest") -> Array:
    """Reads each output pixel from x at its centre, or between two centres, along both axes."""
    for axis in (1, 2):
        size = x.shape[axis]
        centres = (np.arange(factor * size) + 0.5) / factor - 0.5
        if method == "nearest":
            x = jnp.take(x, np.round(centres).astype(int), axis)
        else:
            first = np.floor(centres).astype(int)
            low, high = (jnp.take(x, np.clip(first + k, 0, size - 1), axis) for k in (0, 1))
            share = np.expand_dims(centres - first, [k for k in range(4) if k != axis])
            x = low + jnp.broadcast_to(jnp.asarray(share, x.dtype), low.shape) * (high - low)
    return x


def _blocks(dz: Array, factor: int) -> Array:
    """(N, f H, f W, C) as (N, H, f, W, f, C)."""
    n, height, width, c = dz.shape
    return dz.reshape(n, height // factor, factor, width // factor, factor, c)


def _of_blocks(dx: Callable[[Array], Array]) -> Callable[..., Any]:
    """A backward that reduces each block of dz to a pixel."""

    def wrong(factor: int, method: str, residual: None, dz: Array) -> tuple[Array]:
        return (dx(_blocks(dz, factor)),)

    return wrong


def _of_tiles(factor: int, method: str, residual: None, dz: Array) -> tuple[Array]:
    n, height, width, c = dz.shape
    tiles = dz.reshape(n, factor, height // factor, factor, width // factor, c)
    return (tiles.sum((1, 3)),)


def _without_edges(factor: int, method: str, residual: None, dz: Array) -> tuple[Array]:
    """Puts zeros around dz, so that the copies of the edges become pixels, and are cut off."""
    border = [(0, 0), (factor, factor), (factor, factor), (0, 0)]
    (dx,) = upsample2d_backward(factor, method, residual, jnp.pad(dz, border))
    return (dx[:, 1:-1, 1:-1],)


def _phases_in_reverse(factor: int, method: str, residual: None, dz: Array) -> tuple[Array]:
    reverse = _blocks(dz, factor)[:, :, ::-1, :, ::-1].reshape(dz.shape)
    return upsample2d_backward(factor, method, residual, reverse)


def _own_pixel_only(blocks: Array) -> Array:
    factor = blocks.shape[2]
    shares = 1 - jnp.abs((jnp.arange(factor) + 0.5) / factor - 0.5).astype(blocks.dtype)
    return jnp.einsum("nhpwqc,p,q->nhwc", blocks, shares, shares)


def _with_corners_aligned(x: Array, factor: int, method: str) -> tuple[Array, None]:
    for axis in (1, 2):
        size = x.shape[axis]
        places = jnp.linspace(0, size - 1, factor * size)
        weights = jnp.maximum(1 - jnp.abs(places[:, None] - jnp.arange(size)[None, :]), 0)
        x = jnp.moveaxis(jnp.tensordot(weights.astype(x.dtype), x, (1, axis)), 0, axis)
    return x, None


def _with_zeros_between(x: Array, factor: int, method: str) -> tuple[Array, None]:
    n, height, width, c = x.shape
    zeros = jnp.zeros((n, factor * height, factor * width, c), x.dtype)
    return zeros.at[:, ::factor, ::factor].set(x), None


_NEAREST_FAULTS = {
    "dz averaged over the block": _of_blocks(lambda blocks: blocks.mean((2, 4))),
    "dz of the block's first pixel only": _of_blocks(lambda blocks: blocks[:, :, 0, :, 0]),
    "dz of the block's first row only": _of_blocks(lambda blocks: blocks[:, :, 0].sum(3)),
    "dz summed over tiles": _of_tiles,
    "dx shifted by one pixel": change_cotangent(
        upsample2d_backward, 0, lambda dx: jnp.roll(dx, 1, axis=2)
    ),
    "dz flipped": change_dz(upsample2d_backward, lambda dz: dz[:, ::-1]),
}
_BILINEAR_FAULTS = {
    "gradient of nearest": _of_blocks(lambda blocks: blocks.sum((2, 4))),
    "copies of the edges left out of (upsample.6)": _without_edges,
    "phases in reverse order": _phases_in_reverse,
    "neighbours left out of (upsample.5)": _of_blocks(_own_pixel_only),
    "mean of the cotangents": change_cotangent(upsample2d_backward, 0, lambda dx: dx / 4),
}

UPSAMPLE2D = OpSpec(
    op=upsample2d,
    reference=reference_upsample2d,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=({"N": 3, "H": 4, "W": 5, "C": 2}, {"N": 1, "H": 1, "W": 3, "C": 4}),
            static={"factor": 2, "method": "nearest"},
        ),
        Case(
            sizes=({"N": 2, "H": 4, "W": 5, "C": 3}, {"N": 3, "H": 1, "W": 2, "C": 1}),
            static={"factor": 2, "method": "bilinear"},
        ),
        Case(sizes=({"N": 2, "H": 3, "W": 4, "C": 1},), static={"factor": 3, "method": "bilinear"}),
        Case(sizes=({"N": 2, "H": 2, "W": 3, "C": 2},), static={"factor": 3, "method": "nearest"}),
        Case(sizes=({"N": 2, "H": 2, "W": 3, "C": 2},), static={"factor": 1, "method": "bilinear"}),
    ),
    batch="N",
    linear=(0,),
    empty_batch=True,
    faults=(
        *(Fault(name, wrong) for name, wrong in _NEAREST_FAULTS.items()),
        Fault("zeros between the pixels", forward=_with_zeros_between),
        *(Fault(name, wrong, case=_BILINEAR) for name, wrong in _BILINEAR_FAULTS.items()),
        Fault("corners aligned", forward=_with_corners_aligned, case=_BILINEAR),
        Fault("phases in reverse order, f = 3", _phases_in_reverse, case=_THREE),
    ),
)
