"""The equations of the convolution by whole rows of pixels."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue.equations._by_index import by_index, entries_of, literal
from ffnn_jax.catalogue.equations._convolution import Convolution, matrix
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers.fast._row_conv import _dy, _kernel_matrix, _rows

_S, _D, _P, _Q = 2, 2, 1, 2
_PLAIN = Convolution(((_P, 1), (_Q, 0)), _S, _D)
_SIZES = {"N": 1, "H": 3, "W": 5, "C": 2, "KH": 2, "KW": 3, "K": 3, "I": 2, "J": 2}
_KERNEL = "KHxKWxCxK"
_GIVEN = f"NxHxWxC {_KERNEL} K"
_GIVEN_DZ = f"{_GIVEN} NxIxJxK"


def _r(x: Array, kh: int) -> Array:
    """The right side of (row.1), with the axes n, i, w, u and c."""
    entries, (n, height, width, channels) = entries_of(x), x.shape

    def entry(n: int, i: int, w: int, u: int, c: int) -> Any:
        row = _S * i + _D * u - _P
        return entries[n, row, w, c] if 0 <= row < height else 0

    return by_index((n, 2, width, kh, channels), entry)


def _y(x: Array, w: Array) -> Array:
    """The first right side of (row.2), with the axes n, i, w, v and k."""
    return jnp.einsum("niwuc,uvck->niwvk", _r(x, len(w)), w)


@literal
def _shifted(y: np.ndarray) -> Array:
    """The sum in (row.3)."""
    n, rows, width, kw, outputs = y.shape

    def entry(n: int, i: int, j: int, k: int) -> Any:
        columns = {v: _S * j + _D * v - _Q for v in range(kw)}
        return sum(y[n, i, w, v, k] for v, w in columns.items() if 0 <= w < width)

    return by_index((n, rows, 2, outputs), entry)


@literal
def _by_output(y: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (row.4)."""

    def entry(n: int, i: int, w: int, v: int, k: int) -> Any:
        return sum(dz[n, i, j, k] for j in range(2) if w == _S * j + _D * v - _Q)

    return by_index(y.shape, entry)


def _dx(x: Array, w: Array, b: Array, dz: Array) -> Array:
    """The right side of (row.7), by (row.6) and (row.4)."""
    dy = matrix(_by_output(_y(x, w), dz), 3)
    dr = dy @ matrix(w.swapaxes(1, 2), 2).T
    entries = entries_of(dr.reshape(len(x), 2, x.shape[2], len(w), x.shape[3]))

    def entry(n: int, row: int, column: int, c: int) -> Any:
        return sum(
            entries[n, i, column, u, c] for i, u in np.ndindex(2, len(w))
            if row == _S * i + _D * u - _P
        )  # fmt: skip

    return by_index(x.shape, entry)


EQUATIONS = (
    Equation(
        "row.1", "R[niw, uc] = x[n, s i + d u - p, w, c]",
        lambda x: matrix(_rows(x, 2, _PLAIN.windows), 3), lambda x: matrix(_r(x, 2), 3), "NxHxWxC",
        _SIZES,
    ),
    Equation(
        "row.2", "Y[niw, vk] = sum_{u,c} R[niw, uc] w[u,v,c,k], Y = R W'",
        lambda x, w: matrix(_rows(x, 2, _PLAIN.windows), 3) @ _kernel_matrix(w),
        lambda x, w: (
            matrix(_y(x, w), 3), matrix(_r(x, 2), 3) @ matrix(w.swapaxes(1, 2), 2)
        ),
        f"NxHxWxC {_KERNEL}", _SIZES,
    ),
    Equation(
        "row.3", "z[n,i,j,k] = b[k] + sum_v Y[n, i, s j + d v - q, vk]",
        _PLAIN.of, lambda x, w, b: b[None, None, None, :] + _shifted(_y(x, w)), _GIVEN, _SIZES,
    ),
    Equation(
        "row.4", "dY[niw, vk] = dz[n,i,j,k] if w = s j + d v - q for a j, else 0",
        lambda y, dz: (
            cotangent(_shifted)(y, dz),
            _dy(dz, y.shape[3], y.shape[2], _PLAIN.windows).reshape(y.shape),
        ),
        lambda y, dz: (_by_output(y, dz),) * 2, "NxIxWxKWxK NxIxJxK", _SIZES,
    ),
    Equation(
        "row.5", "dW' = R^T dY",
        cotangent(lambda r, w: r @ w, 1), lambda r, w, dy: r.T @ dy, "MxE ExK MxK",
        {"M": 4, "E": 3, "K": 2},
    ),
    Equation(
        "row.6", "dR = dY W'^T",
        cotangent(lambda r, w: r @ w), lambda r, w, dy: dy @ w.T, "MxE ExK MxK",
        {"M": 4, "E": 3, "K": 2},
    ),
    Equation(
        "row.7", "dx[n,h,w,c] = sum_{i,u: h = s i + d u - p} dR[niw, uc]",
        cotangent(_PLAIN.of), _dx, _GIVEN_DZ, _SIZES,
    ),
)  # fmt: skip
