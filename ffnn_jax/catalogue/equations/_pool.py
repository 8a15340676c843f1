"""The equations of max pooling, with windows that overlap and a pad."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._pool import reference_max_pool
from ffnn_jax.catalogue.equations._by_index import by_index, entries_of
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import max_pool, max_pool_forward

_R, _S, _P, _Q = 3, 2, 2, 2
_SIZES = {"N": 1, "H": 2, "W": 2, "C": 1, "I": 2, "J": 2}
_GIVEN, _GIVEN_DZ = "NxHxWxC", "NxHxWxC NxIxJxC"
_SHAPE = (1, 2, 2, 1)
WITHOUT_ALGEBRA = {"pool.5": "blocks of rows, whole numbers"}
_pool = functools.partial(reference_max_pool, window=_R, stride=_S, padding=_P)


def _window(x: Array, i: int, j: int) -> dict[int, tuple[int, int]]:
    """The pixel of each entry r u + v inside the image, in order."""
    pixels = {_R * u + v: (_S * i + u - _P, _S * j + v - _Q) for u, v in np.ndindex(_R, _R)}
    inside = range(x.shape[1]), range(x.shape[2])
    return {m: (h, w) for m, (h, w) in pixels.items() if h in inside[0] and w in inside[1]}


def _values(x: Array, n: int, i: int, j: int, c: int) -> list[Array]:
    entries = entries_of(x)
    return [entries[n, h, w, c] for h, w in _window(x, i, j).values()]


def _z(x: Array) -> Array:
    """The right side of (pool.1)."""
    return by_index(_SHAPE, lambda *at: functools.reduce(jnp.maximum, _values(x, *at)))


def _m(x: Array) -> Array:
    """The right side of (pool.2)."""
    z = entries_of(_z(x))

    def first(n: int, i: int, j: int, c: int) -> Any:
        is_largest = jnp.stack(_values(x, n, i, j, c)) == z[n, i, j, c]
        return jnp.array(list(_window(x, i, j)))[jnp.argmax(is_largest)]

    return by_index(_SHAPE, first)


def _argmax(x: Array) -> Array:
    return max_pool_forward(x, _R, _S, _P)[1].argmax.astype(float)


def _slopes(x: Array) -> Array:
    """The right side of (pool.3), over (n, i, j, c) and the pixels h, w of the same image."""
    m = entries_of(_m(x))

    def entry(n: int, i: int, j: int, c: int, h: int, w: int) -> Any:
        numbers = [k for k, pixel in _window(x, i, j).items() if pixel == (h, w)]
        return sum(jnp.where(m[n, i, j, c] == k, 1.0, 0.0) for k in numbers)

    return by_index((*_SHAPE, *x.shape[1:3]), entry)


def _over_windows(x: Array, dz: Array) -> Array:
    """The right side of (pool.4)."""
    m, entries = entries_of(_m(x)), entries_of(dz)

    def entry(n: int, h: int, w: int, c: int) -> Any:
        windows = (at for at in np.ndindex(*_SHAPE[1:3]) if (h, w) in _window(x, *at).values())
        return sum(
            jnp.where(
                _R * (h + _P - _S * i) + w + _Q - _S * j == m[n, i, j, c], entries[n, i, j, c], 0.0
            )
            for i, j in windows
        )

    return by_index(x.shape, entry)


def _over_blocks(x: Array, dz: Array) -> Array:
    """The right side of (pool.6)."""
    m, entries = entries_of(_m(x)), entries_of(dz)

    def entry(n: int, h: int, w: int, c: int) -> Any:
        (a, b), (e, f) = divmod(h + _P, _S), divmod(w + _Q, _S)
        numbers = {
            (a - g, e - k): _R * (_S * g + b) + _S * k + f
            for g, k in np.ndindex(_R, _R) if _S * g + b < _R and _S * k + f < _R
        }  # fmt: skip
        there = {at: k for at, k in numbers.items() if at in np.ndindex(*_SHAPE[1:3])}
        return sum(
            jnp.where(m[n, i, j, c] == k, entries[n, i, j, c], 0.0) for (i, j), k in there.items()
        )

    return by_index(x.shape, entry)


EQUATIONS = (
    Equation(
        "pool.1",
        "z[n,i,j,c] = max over (u, v) inside the image of x[n, s i + u - p, s j + v - q, c]",
        lambda x: max_pool(x, _R, _S, _P), _z, _GIVEN, _SIZES,
    ),
    Equation(
        "pool.2", "m[n,i,j,c] = the first r u + v inside the image whose entry is the maximum",
        _argmax, _m, _GIVEN, _SIZES,
    ),
    Equation(
        "pool.3",
        "dz[n,i,j,c]/dx[n, s i + u - p, s j + v - q, c] = 1 if r u + v = m[n,i,j,c], else 0",
        lambda x: derivative(_pool)(x)[..., 0, :, :, 0], _slopes, _GIVEN, _SIZES,
    ),
    Equation(
        "pool.4",
        "dx[n,h,w,c] = sum_{i,j: window (i,j) contains pixel (h,w)}"
        " dz[n,i,j,c] [r (h + p - s i) + w + q - s j = m[n,i,j,c]]",
        cotangent(_pool), _over_windows, _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "pool.6",
        "dx[n,h,w,c] = sum_{g,k} dz[n, a - g, e - k, c]"
        " [r (s g + b) + s k + f = m[n, a - g, e - k, c]]",
        cotangent(_pool), _over_blocks, _GIVEN_DZ, _SIZES,
    ),
)  # fmt: skip
