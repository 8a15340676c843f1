"""Transposed two-dimensional convolution."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_dz, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import conv_transpose2d, conv_transpose2d_backward, conv_transpose2d_forward

_SAME, _GAPS, _CROPPED = range(3)
_DX, _DW, _DB = range(3)


def reference_conv_transpose2d(
    x: Array, w: Array, b: Array, stride: int = 1, padding: int | str = "SAME"
) -> Array:
    """Equations (transpose.1) and (transpose.2), with a 0/1 array for h = s i + u - p."""
    rows, columns = (
        _meets(x.shape[axis + 1], w.shape[axis], stride, padding).astype(x.dtype) for axis in (0, 1)
    )
    z = jnp.einsum("hiu,nijc,uvck,wjv->nhwk", rows, x, w, columns)
    return z + b.reshape(1, 1, 1, -1)


def _meets(size: int, kernel: int, stride: int, padding: int | str) -> Array:
    """Whether output h receives pixel i through kernel entry u, as an array over (h, i, u)."""
    reach = stride * (size - 1) + kernel
    whole = {"SAME": stride * size, "VALID": max(reach, stride * size)}.get(str(padding))
    before = padding if isinstance(padding, int) else max(reach - whole, 0) // 2 if whole else 0
    length = reach - 2 * before if whole is None else whole
    h, i, u = jnp.ogrid[:length, :size, :kernel]
    return h == stride * i + u - before


def _with_kernel(change: Callable[[Array], Array]) -> Callable[..., Any]:
    """The backward with dx from a changed kernel."""

    def wrong(stride: int, padding: Any, residuals: Any, dz: Array) -> Any:
        x, w = residuals
        _, dw, db = conv_transpose2d_backward(stride, padding, residuals, dz)
        changed = x, change(w)
        return conv_transpose2d_backward(stride, padding, changed, dz)[_DX], dw, db

    return wrong


def _dx_of_a_transposed_convolution(stride: int, padding: Any, residuals: Any, dz: Array) -> Any:
    """As if the gradient of a transposed convolution were one again."""
    x, w = residuals
    _, dw, db = conv_transpose2d_backward(stride, padding, residuals, dz)
    none = jnp.zeros(x.shape[3], w.dtype)
    dx, _ = conv_transpose2d_forward(dz, w.swapaxes(2, 3), none, 1, "SAME")
    return dx[:, ::stride, ::stride][:, : x.shape[1], : x.shape[2]].astype(x.dtype), dw, db


def _rotated(array: Array) -> Array:
    return jnp.flip(array, (0, 1))


def _rotated_forward(x: Array, w: Array, b: Array, stride: int, padding: Any) -> Any:
    z, _ = conv_transpose2d_forward(x, _rotated(w), b, stride, padding)
    return z, (x, w)


def _db_in_half_precision(*arguments: Any) -> Any:
    dx, dw, _ = conv_transpose2d_backward(*arguments)
    dz = arguments[-1]
    return dx, dw, sum_in_own_dtype(dz.reshape(-1, dz.shape[3]))


def _changed(index: int, change: Callable[[Array], Array]) -> Callable[..., Any]:
    return change_cotangent(conv_transpose2d_backward, index, change)


def _static(stride: int, padding: int | str) -> Any:
    return {"stride": stride, "padding": padding}


CONV_TRANSPOSE2D = OpSpec(
    op=conv_transpose2d,
    reference=reference_conv_transpose2d,
    arguments=("NxHxWxC", "KHxKWxCxK", "K"),
    cases=(
        Case(
            sizes=(
                {"N": 4, "H": 3, "W": 5, "C": 2, "KH": 6, "KW": 1, "K": 7},
                {"N": 1, "H": 2, "W": 3, "C": 3, "KH": 5, "KW": 4, "K": 2},
                {"N": 64, "H": 6, "W": 5, "C": 1, "KH": 3, "KW": 2, "K": 3},
            ),
            static=_static(2, "SAME"),
        ),
        Case(
            sizes=({"N": 2, "H": 3, "W": 2, "C": 2, "KH": 1, "KW": 4, "K": 3},),
            static=_static(3, "VALID"),
        ),
        Case(
            sizes=({"N": 2, "H": 5, "W": 4, "C": 3, "KH": 4, "KW": 3, "K": 1},),
            static=_static(3, 1),
        ),
    ),
    batch="N",
    linear=(0, 1, 2),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("kernel rotated in dx", _with_kernel(_rotated)),
        Fault("kernel flipped along one axis only", _with_kernel(lambda w: jnp.flip(w, 0))),
        Fault("dw rotated by 180 degrees", _changed(_DW, _rotated)),
        Fault("kernel rotated in the forward", forward=_rotated_forward),
        Fault("dx by a transposed convolution", _dx_of_a_transposed_convolution),
        Fault(
            "one cropped row too many",
            change_dz(conv_transpose2d_backward, lambda dz: jnp.roll(dz, 1, 1)),
        ),
        Fault(
            "odd cropped column before z",
            change_dz(conv_transpose2d_backward, lambda dz: jnp.roll(dz, 1, 2)),
            case=_CROPPED,
        ),
        Fault("dw divided by the stride squared", _changed(_DW, lambda dw: dw / 4)),
        Fault("dx of the next pixel", _changed(_DX, lambda dx: jnp.roll(dx, 1, 2)), case=_CROPPED),
        Fault("db averaged", _changed(_DB, lambda db: db / 7), case=_CROPPED),
        Fault("dw of the next entry", _changed(_DW, lambda dw: jnp.roll(dw, 1, 1)), case=_GAPS),
        Fault("db summed in half precision", _db_in_half_precision, many=True),
    ),
)
