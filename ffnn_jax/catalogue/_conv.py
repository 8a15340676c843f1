"""Two-dimensional convolution."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, added_narrowly, returning
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import conv2d, conv2d_backward, conv2d_forward

Residuals = tuple[Array, Array]
Cotangents = tuple[Array, Array, Array]

_SAME, _SAME_EVEN, _VALID, _WIDE = range(4)


def reference_conv2d(
    x: Array, w: Array, b: Array, padding: int | str = "SAME", stride: int = 1
) -> Array:
    """Equation (conv.1): the sum over u, v, c of rows s i + u and columns s j + v of x~."""
    pads = _around(x, w, padding, stride)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    (height, width), (kh, kw) = x.shape[1:3], w.shape[:2]
    rows = [[i + u for u in range(kh)] for i in range(0, height - kh + 1, stride)]
    columns = [[j + v for v in range(kw)] for j in range(0, width - kw + 1, stride)]
    windows = x[:, jnp.array(rows)][:, :, :, jnp.array(columns)]
    return jnp.einsum("niujvc,uvck->nijk", windows, w) + b.reshape(1, 1, 1, -1)


def _around(x: Array, w: Array, padding: int | str, stride: int) -> list[tuple[int, int]]:
    if isinstance(padding, int):
        return [(padding, padding)] * 2
    return jax.lax.padtype_to_pads(x.shape[1:3], w.shape[:2], (stride, stride), padding)


def _not_turned(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    x, w = residuals
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return conv2d_backward(padding, stride, (x, jnp.flip(w, (0, 1))), dz)[0], dw, db


def _turned_one_way(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    x, w = residuals
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return conv2d_backward(padding, stride, (x, jnp.flip(w, 1)), dz)[0], dw, db


def _channels_not_exchanged(
    padding: Any, stride: int, residuals: Residuals, dz: Array
) -> Cotangents:
    x, w = residuals
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    kh, kw, inputs, outputs = w.shape
    wrong = w.reshape(kh, kw, outputs, inputs).swapaxes(2, 3)
    return conv2d_backward(padding, stride, (x, wrong), dz)[0], dw, db


def _crowded(padding: Any, residuals: Residuals, dz: Array) -> Array:
    """The cotangent in the corner of the output that a stride of 1 would have."""
    x, w = residuals
    outputs, _ = conv2d_forward(x, w, jnp.zeros_like(dz[0, 0, 0]), padding, 1)
    return jnp.zeros_like(outputs).at[:, : dz.shape[1], : dz.shape[2]].set(dz)


def _not_spread(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    _, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return conv2d_backward(padding, 1, residuals, _crowded(padding, residuals, dz))[0], dw, db


def _weights_of_stride_one(
    padding: Any, stride: int, residuals: Residuals, dz: Array
) -> Cotangents:
    dx, _, db = conv2d_backward(padding, stride, residuals, dz)
    return dx, conv2d_backward(padding, 1, residuals, _crowded(padding, residuals, dz))[1], db


def _remainder_filled(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, db = conv2d_backward(padding, stride, residuals, dz)
    return dx.at[:, -1].set(dx[:, -2]), dw, db


def _bias_added_narrowly(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, _ = conv2d_backward(padding, stride, residuals, dz)
    return dx, dw, added_narrowly(dz.reshape(-1, dz.shape[3]))


def _bias_of_the_batch(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, _ = conv2d_backward(padding, stride, residuals, dz)
    return dx, dw, jnp.sum(dz[:, 0, 0], axis=0)


def _bias_averaged(padding: Any, stride: int, residuals: Residuals, dz: Array) -> Cotangents:
    dx, dw, _ = conv2d_backward(padding, stride, residuals, dz)
    return dx, dw, jnp.mean(dz, axis=(0, 1, 2))


def _weights_of_the_first_image(
    padding: Any, stride: int, residuals: Residuals, dz: Array
) -> Cotangents:
    dx, _, db = conv2d_backward(padding, stride, residuals, dz)
    return dx, conv2d_backward(padding, stride, residuals, dz.at[1:].set(0))[1], db


def _moved(rows: int, columns: int) -> Any:
    return returning(conv2d_backward, 0, lambda dx: jnp.roll(dx, (rows, columns), (1, 2)))


def _flipped(dw: Array) -> Array:
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
        Fault("kernel not turned in (conv.7)", _not_turned),
        Fault("kernel turned one way only", _turned_one_way, case=_SAME_EVEN),
        Fault("dw turned", returning(conv2d_backward, 1, _flipped)),
        Fault("channel axes not exchanged", _channels_not_exchanged),
        Fault("one zero too many before x", _moved(1, 0)),
        Fault("the odd zero of SAME before x", _moved(1, 0), case=_SAME_EVEN),
        Fault("rows for columns in (conv.8)", _moved(1, -1), case=_WIDE),
        Fault("stride ignored in dx", _not_spread, case=_VALID),
        Fault("stride ignored in dw", _weights_of_stride_one, case=_VALID),
        Fault("pixels outside every window filled", _remainder_filled, case=_VALID),
        Fault("db of one pixel", _bias_of_the_batch),
        Fault("db averaged", _bias_averaged),
        Fault("dw of the first image", _weights_of_the_first_image),
        Fault("db summed in half precision", _bias_added_narrowly, many=True),
    ),
)
