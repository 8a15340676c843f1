"""The equations of global and adaptive average pooling, with bins that overlap."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._adaptive_pool import reference_global_avg_pool
from ffnn_jax.catalogue.equations._by_index import by_index, entries_of
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import adaptive_avg_pool, global_avg_pool

_A, _B = _SIZE = 2, 3
_SIZES = {"N": 2, "H": 3, "W": 5, "C": 1, "A": _A, "B": _B}
WITHOUT_ALGEBRA = {
    "adaptive.3": "the rows of a bin, whole numbers",
    "adaptive.6": "an inequality between whole numbers",
    "adaptive.7": "the bins of a row, whole numbers",
}


def _bin(i: int, length: int, count: int) -> range:
    """The rows of bin i, (adaptive.3)."""
    return range(math.floor(i * length / count), math.ceil((i + 1) * length / count))


def _bins(x: Array, i: int, j: int) -> tuple[range, range]:
    return _bin(i, x.shape[1], _A), _bin(j, x.shape[2], _B)


def _z(x: Array) -> Array:
    """The right side of (adaptive.4)."""
    entries = entries_of(x)

    def entry(n: int, i: int, j: int, c: int) -> Any:
        rows, columns = _bins(x, i, j)
        total = sum(entries[n, h, w, c] for h in rows for w in columns)
        return 1 / (len(rows) * len(columns)) * total

    return by_index((len(x), _A, _B, x.shape[3]), entry)


def _dx(x: Array, dz: Array) -> Array:
    """The right side of (adaptive.5)."""
    entries = entries_of(dz)

    def entry(n: int, h: int, w: int, c: int) -> Any:
        bins = {at: _bins(x, *at) for at in np.ndindex(_A, _B)}
        return sum(
            entries[n, *at, c] / (len(rows) * len(columns))
            for at, (rows, columns) in bins.items() if h in rows and w in columns
        )  # fmt: skip

    return by_index(x.shape, entry)


EQUATIONS = (
    Equation(
        "adaptive.1", "z[n,c] = 1 / (H W) sum_{h,w} x[n,h,w,c]",
        global_avg_pool,
        lambda x: 1 / (x.shape[1] * x.shape[2]) * jnp.einsum("nhwc->nc", x), "NxHxWxC", _SIZES,
    ),
    Equation(
        "adaptive.2", "dx[n,h,w,c] = dz[n,c] / (H W)",
        cotangent(reference_global_avg_pool),
        lambda x, dz: jnp.broadcast_to(dz[:, None, None], x.shape) / (x.shape[1] * x.shape[2]),
        "NxHxWxC NxC", _SIZES,
    ),
    Equation(
        "adaptive.4", "z[n,i,j,c] = 1 / (R_i S_j) sum_{h in bin i, w in bin j} x[n,h,w,c]",
        lambda x: adaptive_avg_pool(x, _SIZE), _z, "NxHxWxC", _SIZES,
    ),
    Equation(
        "adaptive.5",
        "dx[n,h,w,c] = sum_{i,j: h in bin i, w in bin j} dz[n,i,j,c] / (R_i S_j)",
        cotangent(_z), _dx, "NxHxWxC NxAxBxC", _SIZES,
    ),
)  # fmt: skip
