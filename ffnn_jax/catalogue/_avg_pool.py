"""Average pooling."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_dz
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.catalogue._pool import Padding, entries_of
from ffnn_jax.layers import avg_pool, avg_pool_backward, avg_pool_forward

_PIXELS, _AREA, _SAME, _ADJACENT, _GAPS = range(5)


def reference_avg_pool(
    x: Array,
    window: int = 2,
    stride: int | None = None,
    padding: Padding = "VALID",
    count_padding: bool = True,
) -> Array:
    """Equation (avg.1); the number of a window's pixels is its sum over an image of ones."""
    ones = jnp.ones_like(x)
    counts = jnp.sum(entries_of(ones, window, stride, padding, float(count_padding)), axis=-1)
    return jnp.sum(entries_of(x, window, stride, padding, 0.0), axis=-1) / counts


def _other_count(
    window: int, stride: Any, padding: Any, count_padding: bool, extent: Array, dz: Array
) -> Any:
    return avg_pool_backward(window, stride, padding, not count_padding, extent, dz)


def _forward_with_other_count(
    x: Array, window: int, stride: Any, padding: Any, count_padding: bool
) -> Any:
    return avg_pool_forward(x, window, stride, padding, not count_padding)


def _divided_by_the_side(x: Array, window: int, *settings: Any) -> Any:
    z, extent = avg_pool_forward(x, window, *settings)
    return z * window, extent


def _divided_after_the_sum(
    window: int, stride: Any, padding: Any, count_padding: bool, extent: Array, dz: Array
) -> Any:
    """Divided by the number of windows of each pixel, as if these were its window's pixels."""
    (total,) = avg_pool_backward(window, stride, padding, True, extent, dz)
    (count,) = avg_pool_backward(window, stride, padding, True, extent, jnp.ones_like(dz))
    return (total / jnp.where(count == 0, jnp.ones_like(count), count) / window**2,)


def _stride_ignored(
    window: int, stride: int, padding: Any, count_padding: bool, extent: Array, dz: Array
) -> Any:
    image = jnp.zeros((*dz.shape[:1], *extent.shape[1:], *dz.shape[3:]), dz.dtype)
    unit = jnp.zeros_like(avg_pool(image, window, 1, padding, count_padding))
    placed = unit.at[:, : dz.shape[1], : dz.shape[2]].set(dz)
    return avg_pool_backward(window, 1, padding, count_padding, extent, placed)


def _one_window_a_pixel(
    window: int, stride: int, padding: int, count_padding: bool, extent: Array, dz: Array
) -> Any:
    h, w = extent.shape[1:]
    rows = jnp.array([min((k + padding) // stride, dz.shape[1] - 1) for k in range(h)])
    columns = jnp.array([min((k + padding) // stride, dz.shape[2] - 1) for k in range(w)])
    return (dz[:, rows][:, :, columns] / window**2,)


def _with_dx(change: Callable[[Array], Array]) -> Any:
    return change_cotangent(avg_pool_backward, 0, change)


AVG_POOL = OpSpec(
    op=avg_pool,
    reference=reference_avg_pool,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=({"N": 2, "H": 4, "W": 5, "C": 3}, {"N": 1, "H": 7, "W": 3, "C": 4}),
            static={"window": 3, "stride": 2, "padding": 1, "count_padding": False},
        ),
        Case(
            sizes=({"N": 2, "H": 4, "W": 6, "C": 3},),
            static={"window": 3, "stride": 2, "padding": 2, "count_padding": True},
        ),
        Case(
            sizes=({"N": 2, "H": 3, "W": 4, "C": 1},),
            static={"window": 2, "stride": 1, "padding": "SAME", "count_padding": False},
        ),
        Case(
            sizes=({"N": 3, "H": 7, "W": 6, "C": 2},),
            static={"window": 3, "stride": None, "padding": "VALID", "count_padding": True},
        ),
        Case(
            sizes=({"N": 2, "H": 7, "W": 6, "C": 2},),
            static={"window": 2, "stride": 3, "padding": "VALID", "count_padding": True},
        ),
    ),
    batch="N",
    linear=(0,),
    empty_batch=True,
    faults=(
        Fault("padding counted in the backward alone", _other_count),
        Fault("padding counted in the forward alone", forward=_forward_with_other_count),
        Fault("padding not counted in the backward", _other_count, case=_AREA),
        Fault("count_padding negated", _other_count, _forward_with_other_count, case=_SAME),
        Fault("z divided by the window's side", forward=_divided_by_the_side, case=_AREA),
        Fault("dz divided by the window's side", _with_dx(lambda dx: 3 * dx), case=_AREA),
        Fault("dz not divided", _with_dx(lambda dx: 9 * dx), case=_AREA),
        Fault("divided by the windows of a pixel", _divided_after_the_sum),
        Fault("stride ignored in the backward", _stride_ignored),
        Fault("dz from one window a pixel", _one_window_a_pixel, case=_AREA),
        Fault(
            "nonzero dx outside every window",
            _with_dx(lambda dx: dx.at[:, -1].set(dx[:, 0])),
            case=_GAPS,
        ),
        Fault("dx shifted by one pixel", _with_dx(lambda dx: jnp.roll(dx, 1, axis=1))),
        Fault(
            "rows and columns of dz exchanged",
            change_dz(avg_pool_backward, lambda dz: dz.swapaxes(1, 2).reshape(dz.shape)),
        ),
    ),
)
