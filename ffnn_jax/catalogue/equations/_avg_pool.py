"""The equations of average pooling, with windows that overlap, a pad, and either count."""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._avg_pool import reference_avg_pool
from ffnn_jax.catalogue.equations._by_index import by_index, entries_of
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import avg_pool
from ffnn_jax.layers._avg_pool import _count
from ffnn_jax.layers._windows import windows_of

_R, _S, _P, _Q = 3, 2, 1, 1
_SIZES = {"N": 2, "H": 3, "W": 5, "C": 1, "I": 2, "J": 3}
_GIVEN, _GIVEN_DZ = "NxHxWxC", "NxHxWxC NxIxJxC"
_WINDOWS = list(np.ndindex(2, 3))
_BOTH = (True, False)


def _pool(count_padding: bool) -> Callable[[Array], Array]:
    return functools.partial(
        reference_avg_pool, window=_R, stride=_S, padding=_P, count_padding=count_padding
    )


def _pixels(x: Array, i: int, j: int) -> list[tuple[int, int]]:
    """The pixels of a window inside the image."""
    pixels = [(_S * i + u - _P, _S * j + v - _Q) for u, v in np.ndindex(_R, _R)]
    return [(h, w) for h, w in pixels if 0 <= h < x.shape[1] and 0 <= w < x.shape[2]]


def _number(x: Array, count_padding: bool, i: int, j: int) -> int:
    """The right side of (avg.2)."""
    return _R**2 if count_padding else len(_pixels(x, i, j))


def _z(x: Array, count_padding: bool) -> Array:
    """The right side of (avg.1)."""
    entries = entries_of(x)

    def entry(n: int, i: int, j: int, c: int) -> Any:
        total = sum(entries[n, h, w, c] for h, w in _pixels(x, i, j))
        return 1 / _number(x, count_padding, i, j) * total

    return by_index((len(x), 2, 3, x.shape[3]), entry)


def _counts(x: Array) -> tuple[Array, ...]:
    """What the code computes for (avg.2)."""
    windows = windows_of(x.shape, _R, _S, _P)
    return tuple(jnp.broadcast_to(_count(windows, both, x.dtype), (1, 2, 3, 1)) for both in _BOTH)


def _slopes(x: Array, count_padding: bool) -> Array:
    """The right side of (avg.3), over i, j and the pixels h, w, of one image and channel."""

    def entry(i: int, j: int, h: int, w: int) -> Any:
        inside = (h, w) in _pixels(x, i, j)
        return 1 / _number(x, count_padding, i, j) if inside else 0.0

    return by_index((2, 3, *x.shape[1:3]), entry)


def _dx(x: Array, dz: Array, count_padding: bool) -> Array:
    """The right side of (avg.4)."""
    entries = entries_of(dz)

    def entry(n: int, h: int, w: int, c: int) -> Any:
        (a, b), (e, f) = divmod(h + _P, _S), divmod(w + _Q, _S)
        windows = [
            (a - g, e - k)
            for g, k in np.ndindex(_R, _R) if _S * g + b < _R and _S * k + f < _R
        ]  # fmt: skip
        return sum(
            entries[n, *at, c] / _number(x, count_padding, *at) for at in windows if at in _WINDOWS
        )

    return by_index(x.shape, entry)


EQUATIONS = (
    Equation(
        "avg.1",
        "z[n,i,j,c] = 1 / count[i,j] sum over (u, v) inside the image of"
        " x[n, s i + u - p, s j + v - q, c]",
        lambda x: tuple(avg_pool(x, _R, _S, _P, both) for both in _BOTH),
        lambda x: tuple(_z(x, both) for both in _BOTH), _GIVEN, _SIZES,
    ),
    Equation(
        "avg.2", "count[i,j] = r^2, or the number of (u, v) inside the image",
        _counts,
        lambda x: tuple(
            by_index((1, 2, 3, 1), lambda n, i, j, c, both=both: _number(x, both, i, j))
            for both in _BOTH
        ),
        _GIVEN, _SIZES,
    ),
    Equation(
        "avg.3", "dz[n,i,j,c]/dx[n, s i + u - p, s j + v - q, c] = 1 / count[i,j]",
        lambda x: tuple(derivative(_pool(both))(x)[0, :, :, 0, 0, :, :, 0] for both in _BOTH),
        lambda x: tuple(_slopes(x, both) for both in _BOTH), _GIVEN, _SIZES,
    ),
    Equation(
        "avg.4", "dx[n,h,w,c] = sum_{g,k} dz[n, a - g, e - k, c] / count[a - g, e - k]",
        lambda x, dz: tuple(cotangent(_pool(both))(x, dz) for both in _BOTH),
        lambda x, dz: tuple(_dx(x, dz, both) for both in _BOTH), _GIVEN_DZ, _SIZES,
    ),
)  # fmt: skip
