"""The equations of the depthwise convolution by shifted images."""

from typing import Any

import numpy as np
from jax import Array

from ffnn_jax.catalogue.equations._by_index import by_index, literal
from ffnn_jax.catalogue.equations._convolution import Convolution
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers.fast._depthwise_conv import depthwise_conv2d

_S, _D, _C, _M = 2, 2, 2, 3
_PLAIN = Convolution(((1, 1), (2, 0)), _S, _D, _C)
_SIZES = {"N": 1, "H": 3, "W": 4, "C": _C, "KH": 2, "KW": 3, "K": _C * _M, "I": 2, "J": 1}
_PADDED = _SIZES | {"H": 5, "W": 6}
_GIVEN = "NxHxWxC KHxKWx1xK K"
_GIVEN_DZ = f"{_GIVEN} NxIxJxK"


@literal
def _z(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Array:
    """The right side of (shift.1), from x~."""

    def entry(n: int, i: int, j: int, cm: int) -> Any:
        return b[cm] + sum(
            x[n, _S * i + _D * u, _S * j + _D * v, cm // _M] * w[u, v, 0, cm]
            for u, v in np.ndindex(*w.shape[:2])
        )  # fmt: skip

    return by_index((len(x), 2, 1, len(b)), entry)


@literal
def _dx(x: np.ndarray, w: np.ndarray, b: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (shift.2)."""

    def entry(n: int, row: int, column: int, c: int) -> Any:
        return sum(
            dz[n, i, j, c * _M + m] * w[u, v, 0, c * _M + m]
            for m, i, j, u, v in np.ndindex(_M, *dz.shape[1:3], *w.shape[:2])
            if row == _S * i + _D * u and column == _S * j + _D * v
        )  # fmt: skip

    return by_index(x.shape, entry)


@literal
def _dw(x: np.ndarray, w: np.ndarray, b: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (shift.3), from x~."""

    def entry(u: int, v: int, _: int, cm: int) -> Any:
        return sum(
            x[n, _S * i + _D * u, _S * j + _D * v, cm // _M] * dz[n, i, j, cm]
            for n, i, j in np.ndindex(*dz.shape[:3])
        )  # fmt: skip

    return by_index(w.shape, entry)


EQUATIONS = (
    Equation(
        "shift.1", "z[n,i,j,cm] = b[cm] + sum_{u,v} x~[n, s i + d u, s j + d v, c] w[u,v,cm]",
        lambda x, w, b: depthwise_conv2d(x, w, _PLAIN.windows) + b[None, None, None, :],
        lambda x, w, b: _z(_PLAIN.padded(x), w, b), _GIVEN, _SIZES,
    ),
    Equation(
        "shift.2",
        "dx~[n,h,w,c] ="
        " sum_{m,i,j,u,v: h = s i + d u, w = s j + d v} dz[n,i,j,cm] w[u,v,cm]",
        cotangent(_PLAIN.of_padded), _dx, _GIVEN_DZ, _PADDED,
    ),
    Equation(
        "shift.3", "dw[u,v,cm] = sum_{n,i,j} x~[n, s i + d u, s j + d v, c] dz[n,i,j,cm]",
        cotangent(_PLAIN.of, 1), lambda x, *others: _dw(_PLAIN.padded(x), *others),
        _GIVEN_DZ, _SIZES,
    ),
)  # fmt: skip
