"""Global and adaptive average pooling."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_dz, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    adaptive_avg_pool_forward,
    global_avg_pool,
    global_avg_pool_backward,
    global_avg_pool_forward,
)

_OVERLAP, _MORE, _ONE = range(3)
Size = int | tuple[int, int]


def reference_global_avg_pool(x: Array) -> Array:
    """Equation (adaptive.1)."""
    return jnp.mean(x, axis=(1, 2))


def reference_adaptive_avg_pool(x: Array, size: Size) -> Array:
    """Equation (adaptive.4), bin by bin."""
    return _over_bins(x, size, math.floor, math.ceil)


def _over_bins(x: Array, size: Size, begin: Any, end: Any) -> Array:
    """The mean over each bin, with these roundings of its ends."""
    rows, columns = (size, size) if isinstance(size, int) else size
    height, width = x.shape[1:3]

    def mean(i: int, j: int) -> Array:
        r = slice(begin(i * height / rows), end((i + 1) * height / rows))
        c = slice(begin(j * width / columns), end((j + 1) * width / columns))
        return jnp.mean(x[:, r, c], axis=(1, 2))

    return jnp.stack([jnp.stack([mean(i, j) for j in range(columns)], 1) for i in range(rows)], 1)


def _with_ends(begin: Any, end: Any) -> dict[str, Any]:
    """Bins with other ends, in both passes."""

    def forward(x: Array, size: Size) -> tuple[Array, Array]:
        return _over_bins(x, size, begin, end), x

    def backward(size: Size, x: Array, dz: Array) -> Any:
        return jax.vjp(lambda x: _over_bins(x, size, begin, end), x)[1](dz)

    return {"forward": forward, "backward": backward}


def _backward_over_disjoint_bins(size: Size, extent: Array, dz: Array) -> Any:
    """Each pixel gets dz of the first of its bins alone."""
    (h, w), (rows, columns) = extent.shape[1:], dz.shape[1:3]
    i, j = (
        jnp.array([k * rows // h for k in range(h)]),
        jnp.array([k * columns // w for k in range(w)]),
    )
    return (dz[:, i][:, :, j] * rows * columns / (h * w),)


def _upsampled(size: Size, extent: Array, dz: Array) -> Any:
    """The transpose of bins of one length, for bins of two."""
    (dx,) = adaptive_avg_pool_backward(size, extent, jnp.ones_like(dz))
    (total,) = adaptive_avg_pool_backward(size, extent, dz)
    return (total / dx * dz.shape[1] * dz.shape[2] / (extent.shape[1] * extent.shape[2]),)


def _exchanged(x: Array, size: tuple[int, int]) -> Any:
    z, extent = adaptive_avg_pool_forward(x.swapaxes(1, 2), size)
    return z, jnp.swapaxes(extent, 1, 2)


def _sum_in_half_precision(x: Array) -> tuple[Array, Array]:
    pixels = x.reshape(len(x), -1, x.shape[3]).swapaxes(0, 1)
    total = sum_in_own_dtype(pixels)
    return total / jnp.asarray(len(pixels), x.dtype), global_avg_pool_forward(x)[1]


def _adaptive_sum_in_half_precision(x: Array, size: Size) -> tuple[Array, Array]:
    z, extent = _sum_in_half_precision(x)
    return z[:, None, None, :], extent


def _maximum(x: Array) -> tuple[Array, Array]:
    return jnp.max(x, axis=(1, 2)), global_avg_pool_forward(x)[1]


def _to_one_pixel(dx: Array) -> Array:
    return jnp.zeros_like(dx).at[:, 0, 0].set(jnp.sum(dx, axis=(1, 2)))


def _with_dx(change: Callable[[Array], Array]) -> Any:
    return change_cotangent(global_avg_pool_backward, 0, change)


def _with_dz(change: Callable[[Array], Array]) -> Any:
    return change_dz(global_avg_pool_backward, change)


GLOBAL_AVG_POOL = OpSpec(
    op=global_avg_pool,
    reference=reference_global_avg_pool,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=(
                {"N": 3, "H": 4, "W": 5, "C": 2},
                {"N": 1, "H": 1, "W": 2, "C": 4},
                {"N": 4, "H": 25, "W": 24, "C": 3},
            )
        ),
    ),
    batch="N",
    linear=(0,),
    empty_batch=True,
    faults=(
        Fault("dz not divided", _with_dx(lambda dx: dx.shape[1] * dx.shape[2] * dx)),
        Fault("dz divided by the rows alone", _with_dx(lambda dx: dx.shape[2] * dx)),
        Fault("all dz to one pixel", _with_dx(_to_one_pixel)),
        Fault(
            "channels averaged, too", _with_dz(lambda dz: 0 * dz + jnp.mean(dz, -1, keepdims=True))
        ),
        Fault("channels reversed", _with_dz(lambda dz: jnp.flip(dz, -1))),
        Fault("maximum instead of mean", forward=_maximum),
        Fault("sum in half precision", forward=_sum_in_half_precision, many=True),
    ),
)

ADAPTIVE_AVG_POOL = OpSpec(
    op=adaptive_avg_pool,
    reference=reference_adaptive_avg_pool,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=({"N": 2, "H": 7, "W": 5, "C": 3}, {"N": 1, "H": 4, "W": 6, "C": 4}),
            static={"size": 3},
        ),
        Case(sizes=({"N": 2, "H": 3, "W": 4, "C": 1},), static={"size": (5, 2)}),
        Case(
            sizes=({"N": 3, "H": 4, "W": 2, "C": 5}, {"N": 4, "H": 25, "W": 24, "C": 3}),
            static={"size": 1},
        ),
    ),
    batch="N",
    linear=(0,),
    empty_batch=True,
    faults=(
        Fault("bins do not overlap: both ends rounded down", **_with_ends(math.floor, math.floor)),
        Fault("both ends rounded up", **_with_ends(math.ceil, math.ceil)),
        Fault("bins end one pixel late", **_with_ends(math.floor, lambda end: math.ceil(end) + 1)),
        Fault("first bin alone gets dz of a pixel in two", _backward_over_disjoint_bins),
        Fault("divided by the bins of a pixel", _upsampled),
        Fault("size given as columns and rows", forward=_exchanged, case=_MORE),
        Fault(
            "dx shifted by one row",
            change_cotangent(adaptive_avg_pool_backward, 0, lambda dx: jnp.roll(dx, 1, axis=1)),
        ),
        Fault(
            "bins in reverse",
            change_dz(adaptive_avg_pool_backward, lambda dz: jnp.flip(dz, 1)),
            case=_MORE,
        ),
        Fault(
            "sum in half precision", forward=_adaptive_sum_in_half_precision, case=_ONE, many=True
        ),
    ),
)
