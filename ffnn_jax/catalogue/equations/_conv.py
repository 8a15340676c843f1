"""The equations of the convolution, with stride, dilation and unequal pads."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._conv import reference_conv2d
from ffnn_jax.catalogue.equations._by_index import by_index, entries_of, literal
from ffnn_jax.catalogue.equations._convolution import Convolution, matrix
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import conv2d
from ffnn_jax.layers._conv import IM2COL, _patches

_S, _D, _P, _Q = 2, 2, 1, 2
_PADS = ((_P, 1), (_Q, 0))
_PLAIN = Convolution(_PADS, _S, _D)
_SIZES = {"N": 1, "H": 3, "W": 5, "C": 2, "KH": 2, "KW": 3, "K": 3, "I": 2, "J": 2}
_PADDED = _SIZES | {"H": 5, "W": 7}
_GIVEN = "NxHxWxC KHxKWxCxK K"
_GIVEN_DZ = f"{_GIVEN} NxIxJxK"
_GROUPS = 2


@literal
def _sums(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Array:
    """The right side of (conv.1), from x~."""

    def entry(n: int, i: int, j: int, k: int) -> Any:
        return b[k] + sum(
            x[n, _S * i + _D * u, _S * j + _D * v, c] * w[u, v, c, k]
            for u, v, c in np.ndindex(*w.shape[:3])
        )  # fmt: skip

    return by_index((len(x), 2, 2, len(b)), entry)


def _p(x: Array, w: Array) -> Array:
    """P of (conv.2), from x~, with the axes n, i, j, u, v and c."""
    entries = entries_of(x)

    def entry(n: int, i: int, j: int, u: int, v: int, c: int) -> Any:
        return entries[n, _S * i + _D * u, _S * j + _D * v, c]

    return by_index((len(x), 2, 2, *w.shape[:3]), entry)


def _dw(x: Array, w: Array, b: Array, dz: Array) -> Array:
    """The right side of (conv.4), in the shape of w."""
    dw = matrix(_p(_PLAIN.padded(x), w), 3).T @ matrix(dz, 3)
    return dw.reshape(w.shape)


def _meeting(h: int, w: int, i: int, j: int, u: int, v: int) -> bool:
    """The condition under the sums of (conv.6) and (conv.10)."""
    return h == _S * i + _D * u and w == _S * j + _D * v


@literal
def _scattered(x: np.ndarray, w: np.ndarray, b: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (conv.6)."""

    def entry(n: int, row: int, column: int, c: int) -> Any:
        return sum(
            dz[n, i, j, k] * w[u, v, c, k]
            for i, j, u, v, k in np.ndindex(2, 2, *w.shape[:2], len(b))
            if _meeting(row, column, i, j, u, v)
        )  # fmt: skip

    return by_index(x.shape, entry)


@literal
def _rotated(x: np.ndarray, w: np.ndarray, b: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (conv.7)."""
    (kh, kw), (n, rows, columns, _) = w.shape[:2], x.shape
    spread = np.zeros((n, rows + _D * (kh - 1), columns + _D * (kw - 1), len(b)), object)
    for i, j in np.ndindex(2, 2):
        spread[:, _D * (kh - 1) + _S * i, _D * (kw - 1) + _S * j] = dz[:, i, j]

    def entry(n: int, row: int, column: int, c: int) -> Any:
        return sum(
            spread[n, row + _D * u, column + _D * v, k] * w[kh - 1 - u, kw - 1 - v, c, k]
            for u, v, k in np.ndindex(kh, kw, len(b))
        )  # fmt: skip

    return by_index(x.shape, entry)


def _gathered(x: Array, w: Array, b: Array, dz: Array) -> Array:
    """The right side of (conv.10)."""
    dp = matrix(dz, 3) @ matrix(w, 3).T
    dp = entries_of(dp.reshape(len(x), 2, 2, *w.shape[:3]))

    def entry(n: int, row: int, column: int, c: int) -> Any:
        places = itertools.product(range(2), range(2), range(w.shape[0]), range(w.shape[1]))
        return sum(dp[n, *at, c] for at in places if _meeting(row, column, *at))

    return by_index(x.shape, entry)


def _cropped(x: Array, w: Array, b: Array, dz: Array) -> Array:
    """The right side of (conv.8)."""
    dx = cotangent(_PLAIN.of_padded)(_PLAIN.padded(x), w, b, dz)
    return dx[:, _P : _P + x.shape[1], _Q : _Q + x.shape[2]]


def _of_groups(x: Array, w: Array, b: Array) -> Array:
    """Each group alone."""
    parts = zip(*(jnp.split(each, _GROUPS, axis=-1) for each in (x, w, b)), strict=True)
    return jnp.concatenate([reference_conv2d(*part) for part in parts], axis=-1)


def _adjoints(x: Array, w: Array, y: Array) -> tuple[Array, Array]:
    """The second and the third of the inner products in (conv.12)."""
    images = IM2COL.images(y, w, x.shape[1:3], _PLAIN.windows)
    kernels = IM2COL.kernels(x, y, w.shape[:2], _PLAIN.windows)
    return jnp.sum(images * x), jnp.sum(kernels * w)


EQUATIONS = (
    Equation(
        "conv.1", "z[n,i,j,k] = b[k] + sum_{u,v,c} x~[n, s i + d u, s j + d v, c] w[u,v,c,k]",
        lambda x, w, b: conv2d(x, w, b, _PADS, _S, _D),
        lambda x, w, b: _sums(_PLAIN.padded(x), w, b), _GIVEN, _SIZES,
    ),
    Equation(
        "conv.2", "P[nij, uvc] = x~[n, s i + d u, s j + d v, c]",
        lambda x, w: _patches(x, w.shape[:2], _PLAIN.windows),
        lambda x, w: _p(_PLAIN.padded(x), w).reshape(len(x), 2, 2, -1), "NxHxWxC KHxKWxCxK", _SIZES,
    ),
    Equation(
        "conv.3", "Z = P W + 1 b^T",
        lambda x, w, b: matrix(conv2d(x, w, b, _PADS, _S, _D), 3),
        lambda x, w, b: (
            matrix(_p(_PLAIN.padded(x), w), 3) @ matrix(w, 3) + jnp.ones((4, 1)) @ b[None]
        ),
        _GIVEN, _SIZES,
    ),
    Equation("conv.4", "dW = P^T dZ", cotangent(_PLAIN.of, 1), _dw, _GIVEN_DZ, _SIZES),
    Equation(
        "conv.5", "db = dZ^T 1",
        cotangent(_PLAIN.of, 2), lambda x, w, b, dz: matrix(dz, 3).T @ jnp.ones(4),
        _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "conv.6",
        "dx~[n,h,w,c] ="
        " sum_{i,j,u,v,k: h = s i + d u, w = s j + d v} dz[n,i,j,k] w[u,v,c,k]",
        cotangent(_PLAIN.of_padded), _scattered, _GIVEN_DZ, _PADDED,
    ),
    Equation(
        "conv.7",
        "dx~[n,h,w,c] ="
        " sum_{u',v',k} dz^[n, h + d u', w + d v', k] w[KH-1-u', KW-1-v', c, k]",
        cotangent(_PLAIN.of_padded), _rotated, _GIVEN_DZ, _PADDED,
    ),
    Equation(
        "conv.8", "dx[n,h,w,c] = dx~[n, h+p, w+q, c]",
        cotangent(_PLAIN.of), _cropped, _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "conv.9", "dP = dZ W^T",
        cotangent(lambda p, w: p @ w), lambda p, w, dz: dz @ w.T, "MxE ExK MxK",
        {"M": 4, "E": 3, "K": 2},
    ),
    Equation(
        "conv.10",
        "dx~[n,h,w,c] = sum_{i,j,u,v: h = s i + d u, w = s j + d v} dP[nij, uvc]",
        cotangent(_PLAIN.of_padded), _gathered, _GIVEN_DZ, _PADDED,
    ),
    Equation(
        "conv.11", "z_g = conv2d(x_g, w_g, b_g), g = 1 ... G",
        lambda x, w, b: conv2d(x, w, b, groups=_GROUPS), _of_groups, "NxHxWx4 2x1x2x6 6",
        {"N": 1, "H": 3, "W": 2},
    ),
    Equation(
        "conv.12", "<y, F(x, w)> = <D(y, w), x> = <K(x, y), w>",
        lambda x, w, y: jnp.sum(y * IM2COL.forward(x, w, _PLAIN.windows)), _adjoints,
        "NxHxWxC KHxKWxCxK NxIxJxK", _SIZES,
    ),
)  # fmt: skip
