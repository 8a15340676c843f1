"""The equations of the transposed convolution, with a stride and what is cropped."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._conv_transpose import reference_conv_transpose2d
from ffnn_jax.catalogue.equations._by_index import by_index, literal
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import conv_transpose2d

_S, _P = 2, 1
_SIZES = {"N": 1, "H": 2, "W": 3, "C": 2, "KH": 3, "KW": 4, "K": 1, "I": 3, "J": 6}
_GIVEN = "NxHxWxC KHxKWxCxK K"
_GIVEN_DZ = f"{_GIVEN} NxIxJxK"
WITHOUT_ALGEBRA = {
    "transpose.6": "the size and the pads, whole numbers",
    "transpose.7": "the size and the pads, whole numbers",
    "transpose.8": "the size, a whole number",
}


def _whole(x: Array, w: Array, b: Array) -> Array:
    """The plain definition of z~."""
    return reference_conv_transpose2d(x, w, 0 * b, _S, 0)


def _cropped(x: Array, w: Array, b: Array) -> Array:
    return reference_conv_transpose2d(x, w, b, _S, _P)


def _padded(dz: Array) -> Array:
    """The array dz~."""
    return jnp.pad(dz, ((0, 0), (_P, _P), (_P, _P), (0, 0)))


@literal
def _scattered(x: np.ndarray, w: np.ndarray) -> Array:
    """The right side of (transpose.1)."""
    (n, height, width, _), (kh, kw, inputs, outputs) = x.shape, w.shape

    def entry(n: int, row: int, column: int, k: int) -> Any:
        return sum(
            x[n, i, j, c] * w[u, v, c, k]
            for i, j, u, v, c in np.ndindex(height, width, kh, kw, inputs)
            if row == _S * i + u and column == _S * j + v
        )  # fmt: skip

    return by_index((n, _S * (height - 1) + kh, _S * (width - 1) + kw, outputs), entry)


@literal
def _dx(x: np.ndarray, w: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (transpose.3), from dz~."""

    def entry(n: int, i: int, j: int, c: int) -> Any:
        return sum(
            dz[n, _S * i + u, _S * j + v, k] * w[u, v, c, k]
            for u, v, k in np.ndindex(*w.shape[:2], w.shape[3])
        )  # fmt: skip

    return by_index(x.shape, entry)


@literal
def _dw(x: np.ndarray, w: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (transpose.4), from dz~."""

    def entry(u: int, v: int, c: int, k: int) -> Any:
        return sum(
            dz[n, _S * i + u, _S * j + v, k] * x[n, i, j, c] for n, i, j in np.ndindex(x.shape[:3])
        )

    return by_index(w.shape, entry)


EQUATIONS = (
    Equation(
        "transpose.1",
        "z~[n,h,w,k] = sum_{i,j,u,v,c: h = s i + u, w = s j + v} x[n,i,j,c] w[u,v,c,k]",
        lambda x, w, b: conv_transpose2d(x, w, 0 * b, _S, 0), lambda x, w, b: _scattered(x, w),
        _GIVEN, _SIZES,
    ),
    Equation(
        "transpose.2", "z[n,h,w,k] = b[k] + z~[n, h+p, w+q, k]",
        lambda x, w, b: conv_transpose2d(x, w, b, _S, _P),
        lambda x, w, b: b[None, None, None, :] + _whole(x, w, b)[:, _P : _P + 3, _P : _P + 6],
        _GIVEN, _SIZES,
    ),
    Equation(
        "transpose.3", "dx[n,i,j,c] = sum_{u,v,k} dz~[n, s i + u, s j + v, k] w[u,v,c,k]",
        cotangent(_cropped), lambda x, w, b, dz: _dx(x, w, _padded(dz)), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "transpose.4", "dw[u,v,c,k] = sum_{n,i,j} dz~[n, s i + u, s j + v, k] x[n,i,j,c]",
        cotangent(_cropped, 1), lambda x, w, b, dz: _dw(x, w, _padded(dz)), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "transpose.5", "db[k] = sum_{n,h,w} dz[n,h,w,k]",
        cotangent(_cropped, 2), lambda x, w, b, dz: jnp.einsum("nhwk->k", dz), _GIVEN_DZ, _SIZES,
    ),
)  # fmt: skip
