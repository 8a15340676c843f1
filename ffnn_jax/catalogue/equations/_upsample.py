"""The equations of upsampling, by a factor with early rows, late rows and one in the centre."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue.equations._by_index import by_index, entries_of, literal
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import upsample2d
from ffnn_jax.layers._upsample import _COLUMNS, _ROWS, _collect, _interpolate

_F, _H = 3, 3
_D = [(p + 1 / 2) / _F - 1 / 2 for p in range(_F)]
_WEIGHTS = lambda d: 1 - abs(d), lambda d: max(-d, 0), lambda d: max(d, 0)  # of own, early, late
_IMAGE = {"N": 1, "H": 2, "W": 3, "C": 1, "I": 2 * _F, "J": 3 * _F}
_COLUMN, _COLUMN_DZ = {"H": _H}, {"H": _H, "I": _F * _H}


@literal
def _blocks(x: np.ndarray) -> Array:
    """The right side of (upsample.1), by the row f h + p and the column f w + q."""

    def entry(n: int, i: int, j: int, c: int) -> Any:
        return x[n, i // _F, j // _F, c]

    return by_index((len(x), _F * x.shape[1], _F * x.shape[2], x.shape[3]), entry)


@literal
def _collected(x: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (upsample.2)."""

    def entry(n: int, h: int, w: int, c: int) -> Any:
        return sum(dz[n, _F * h + p, _F * w + q, c] for p, q in np.ndindex(_F, _F))

    return by_index(x.shape, entry)


@literal
def _between(x: np.ndarray) -> Array:
    """The right side of (upsample.4), with repeated edges."""

    def entry(i: int) -> Any:
        h, p = divmod(i, _F)
        neighbour = max(h - 1, 0) if _D[p] < 0 else min(h + 1, len(x) - 1)
        return (1 - abs(_D[p])) * x[h] + abs(_D[p]) * x[neighbour]

    return by_index((_F * len(x),), entry)


def _bilinear(x: Array) -> Array:
    """(upsample.4) along both axes, as a product with a matrix for each."""
    rows, columns = (derivative(_between)(jnp.zeros(size)) for size in x.shape[1:3])
    return jnp.einsum("ih,jw,nhwc->nijc", rows, columns, x)


def _parts(dz: Array) -> tuple[list[Any], ...]:
    """The right sides of (upsample.5): own, early and late, of every row."""
    entries = entries_of(dz)

    def weighted(h: int, weight: Any) -> Any:
        return sum(weight(_D[p]) * entries[_F * h + p] for p in range(_F))

    return tuple([weighted(h, weight) for h in range(_H)] for weight in _WEIGHTS)


def _derivatives(dz: Array) -> tuple[Array, ...]:
    """What each row hands back by autodiff, with the row, its predecessor and successor apart."""
    weights = jnp.array([[weight(d) for d in _D] for weight in _WEIGHTS])

    def z(rows: Array) -> Array:
        return jnp.einsum("ah,ap->hp", rows, weights).ravel()

    return tuple(cotangent(z)(jnp.zeros((3, _H)), dz))


def _dx(dz: Array) -> Array:
    """The right side of (upsample.6)."""
    own, early, late = _parts(dz)

    def entry(h: int) -> Any:
        neighbours = sum(early[h + 1 : h + 2]) + sum(late[max(h - 1, 0) : h])
        edges = (early[0] if h == 0 else 0) + (late[_H - 1] if h == _H - 1 else 0)
        return own[h] + neighbours + edges

    return by_index((_H,), entry)


EQUATIONS = (
    Equation(
        "upsample.1", "z[n, f h + p, f w + q, c] = x[n,h,w,c]",
        lambda x: upsample2d(x, _F), _blocks, "NxHxWxC", _IMAGE,
    ),
    Equation(
        "upsample.2", "dx[n,h,w,c] = sum_p sum_q dz[n, f h + p, f w + q, c]",
        cotangent(_blocks), _collected, "NxHxWxC NxIxJxC", _IMAGE,
    ),
    Equation(
        "upsample.3", "(f h + p + 1/2) / f - 1/2 = h + d_p, d_p = (p + 1/2) / f - 1/2",
        lambda f, h, p: (f * h + p + 1 / 2) / f - 1 / 2,
        lambda f, h, p: h + (p + 1 / 2) / f - 1 / 2, ": : :",
    ),
    Equation(
        "upsample.4",
        "z_{f h + p} = (1 - |d_p|) x_h + |d_p| x_{h - 1} or x_{h + 1}",
        lambda x: upsample2d(x[None, :, None, None], _F, "bilinear")[0, :, 0, 0], _between,
        "H", _COLUMN,
    ),
    Equation(
        "upsample.5",
        "own_h = sum_p (1 - |d_p|) dz_{f h + p}, early_h = sum_{d_p < 0} |d_p| dz_{f h + p},"
        " late_h = sum_{d_p > 0} |d_p| dz_{f h + p}",
        _derivatives, lambda dz: tuple(jnp.stack(part) for part in _parts(dz)), "I", _COLUMN_DZ,
    ),
    Equation(
        "upsample.6",
        "dx_h = own_h + early_{h+1} + late_{h-1} + [h = 0] early_0 + [h = H-1] late_{H-1}",
        cotangent(_between), lambda x, dz: _dx(dz), "H I", _COLUMN_DZ,
    ),
    Equation(
        "upsample.7",
        "z = along_columns(along_rows(x)), dx = along_rows^T(along_columns^T(dz))",
        lambda x, dz: (_bilinear(x), cotangent(_bilinear)(x, dz)),
        lambda x, dz: (
            _interpolate(_interpolate(x, _F, _ROWS), _F, _COLUMNS),
            _collect(_collect(dz, _F, _COLUMNS), _F, _ROWS),
        ),
        "NxHxWxC NxIxJxC", _IMAGE,
    ),
)  # fmt: skip
