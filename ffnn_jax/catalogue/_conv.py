"""Two-dimensional convolution."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import conv2d, conv2d_backward, conv2d_forward

Residuals = tuple[Array, Array]
Cotangents = tuple[Array, Array, Array]

_SAME, _SAME_EVEN, _VALID, _WIDE = range(4)


def reference_conv2d(
    x: Array, w: Array, b: Array, padding: int | str = "SAME", stride: int = 1
) -> Array:
    """Equation (conv.1): the sum over u, v, c of rows s i + u and columns s j + v of x~."""
    pads = _pads(x, w, padding, stride)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    (height, width), (kh, kw) = x.shape[1:3], w.shape[:2]
    rows = [[i + u for u in range(kh)] for i in range(0, height - kh + 1, stride)]
    columns = [[j + v for v in range(kw)] for j in range(0, width - kw + 1, stride)]
    patches = x[:, jnp.array(rows)][:, :, :, jnp.array(columns)]
    return jnp.einsum("niujvc,uvck->nijk", patches, w) + b.reshape(1, 1, 1, -1)


def _pads(x: Array, w: Array, padding: int | str, stride: int) -> list[tuple[int, int]]:
    if isinstance(padding, int):
        return [(padding, padding)] * 2
    return jax.lax.padtype_to_pads(x.shape[1:3], w.shape[:2], (stride, stride), padding)


def _not_rotated(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    x, w = residuals
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return conv2d_backward(padding, stride, (x, jnp.flip(w, (0, 1))), dz)[0], dw, db


def _flipped_along_one_axis(
    padding: Any, stride: int, residuals: Residuals, dz: Array
) -> Cotangents:
    x, w = residuals
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return conv2d_backward(padding, stride, (x, jnp.flip(w, 1)), dz)[0], dw, db


def _channels_not_swapped(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    x, w = residuals
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    kh, kw, inputs, outputs = w.shape
    wrong = w.reshape(kh, kw, outputs, inputs).swapaxes(2, 3)
    return conv2d_backward(padding, stride, (x, wrong), dz)[0], dw, db


def _undilated(padding: Any, residuals: Residuals, dz: Array) -> Array:
    """The cotangent, undilated, in the corner of the output that stride 1 would have."""
    x, w = residuals
    outputs, _ = conv2d_forward(x, w, jnp.zeros_like(dz[0, 0, 0]), padding, 1)
    return jnp.zeros_like(outputs).at[:, : dz.shape[1], : dz.shape[2]].set(dz)


def _stride_ignored_in_dx(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return conv2d_backward(padding, 1, residuals, _undilated(padding, residuals, dz))[0], dw, db


def _stride_ignored_in_dw(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, _, db = conv2d_backward(padding, stride, residuals, dz)
    return dx, conv2d_backward(padding, 1, residuals, _undilated(padding, residuals, dz))[1], db


def _remainder_filled(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return dx.at[:, -1].set(dx[:, -2]), dw, db


def _bias_in_half_precision(
    padding: Any, stride: int, residuals: Residuals, dz: Array
) -> Cotangents:
    dx, dw, _ = conv2d_backward(padding, stride, residuals, dz)
    return dx, dw, sum_in_own_dtype(dz.reshape(-1, dz.shape[3]))


def _bias_from_one_pixel(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, _ = conv2d_backward(padding, stride, residuals, dz)
    return dx, dw, jnp.sum(dz[:, 0, 0], axis=0)


def _bias_averaged(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, _ = conv2d_backward(padding, stride, residuals, dz)
    return dx, dw, jnp.mean(dz, axis=(0, 1, 2))


def _weights_from_the_first_image(
    padding: Any, stride: int, residuals: Residuals, dz: Array
) -> Cotangents:
    dx, _, db = conv2d_backward(padding, stride, residuals, dz)
    return dx, conv2d_backward(padding, stride, residuals, dz.at[1:].set(0))[1], db


def _shifted(rows: int, columns: int) -> Any:
    return change_cotangent(conv2d_backward, 0, lambda dx: jnp.roll(dx, (rows, columns), (1, 2)))


def _rotated(dw: Array) -> Array:
    return jnp.flip(dw, (0, 1))


CONV2D = OpSpec(
    op=conv2d,
    reference=reference_conv2d,
    arguments=("NxHxWxC", "KHxKWxCxK", "K"),
    cases=(
        Case(
            sizes=(
                {"N": 4, "H": 7, "W": 6, "C": 2, "KH": 3, "KW": 1, "K": 5},
                {"N": 1, "H": 6, "W": 7, "C": 3, "KH": 5, "KW": 5, "K": 4},
                {"N": 64, "H": 6, "W": 6, "C": 1, "KH": 3, "KW": 3, "K": 20},
            ),
            static={"padding": "SAME", "stride": 1},
        ),
        Case(
            sizes=({"N": 3, "H": 7, "W": 6, "C": 1, "KH": 4, "KW": 2, "K": 5},),
            static={"padding": "SAME", "stride": 2},
        ),
        Case(
            sizes=({"N": 3, "H": 6, "W": 8, "C": 3, "KH": 3, "KW": 2, "K": 4},),
            static={"padding": "VALID", "stride": 2},
        ),
        Case(
            sizes=({"N": 4, "H": 5, "W": 6, "C": 1, "KH": 2, "KW": 3, "K": 7},),
            static={"padding": 3, "stride": 3},
        ),
    ),
    batch="N",
    linear=(0, 1, 2),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("kernel not rotated in (conv.7)", _not_rotated),
        Fault("kernel flipped along one axis only", _flipped_along_one_axis, case=_SAME_EVEN),
        Fault("dw rotated by 180 degrees", change_cotangent(conv2d_backward, 1, _rotated)),
        Fault("channel axes not swapped", _channels_not_swapped),
        Fault("one padding row too many before x", _shifted(1, 0)),
        Fault("odd padding row of SAME before x", _shifted(1, 0), case=_SAME_EVEN),
        Fault("rows and columns swapped in (conv.8)", _shifted(1, -1), case=_WIDE),
        Fault("stride ignored in dx", _stride_ignored_in_dx, case=_VALID),
        Fault("stride ignored in dw", _stride_ignored_in_dw, case=_VALID),
        Fault("nonzero dx outside every window", _remainder_filled, case=_VALID),
        Fault("db from one pixel only", _bias_from_one_pixel),
        Fault("db averaged", _bias_averaged),
        Fault("dw from the first image only", _weights_from_the_first_image),
        Fault("db summed in half precision", _bias_in_half_precision, many=True),
    ),
)
