"""The equations of the convolution by pairs of outputs."""

from typing import Any

import numpy as np
from jax import Array

from ffnn_jax.catalogue.equations._by_index import by_index, entries_of, literal
from ffnn_jax.catalogue.equations._convolution import Convolution
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers.fast._pair_conv import _kernel_matrix, _pairs

_PLAIN = Convolution(((1, 0), (2, 1)))
_SIZES = {"N": 1, "H": 2, "W": 3, "C": 2, "KH": 2, "KW": 3, "K": 3, "I": 2, "J": 4}
_KERNEL = "KHxKWxCxK"
_GIVEN = f"NxHxWxC {_KERNEL} K"
_GIVEN_DZ = f"{_GIVEN} NxIxJxK"


def _p(x: Array, w: Array) -> Array:
    """The right side of (pair.1), with a row for each n, i and pair j."""
    entries, (kh, kw, inputs, _) = entries_of(_PLAIN.padded(x)), w.shape

    def entry(n: int, i: int, j: int, u: int, v: int, c: int) -> Any:
        return entries[n, i + u, 2 * j + v, c]

    return by_index((len(x), 2, 2, kh, kw + 1, inputs), entry).reshape(4, -1)


@literal
def _matrix(w: np.ndarray) -> Array:
    """The right side of (pair.2)."""
    kh, kw, inputs, outputs = w.shape

    def entry(u: int, v: int, c: int, e: int, k: int) -> Any:
        return w[u, v - e, c, k] if 0 <= v - e < kw else 0

    return by_index((kh, kw + 1, inputs, 2, outputs), entry).reshape(-1, 2 * outputs)


def _rows(z: Array) -> Array:
    """The array z[n, i, 2 j + e, k] as a matrix [nij, ek]."""
    return z.reshape(4, 2 * z.shape[3])


def _z(x: Array, w: Array, b: Array) -> Array:
    """The right side of (pair.3)."""
    z = (_p(x, w) @ _matrix(w)).reshape(1, 2, 4, len(b))
    return b[None, None, None, :] + z


def _dw(x: Array, w: Array, b: Array, dz: Array) -> Array:
    """The right side of (pair.5), by (pair.4)."""
    (kh, kw, inputs, outputs), wide = w.shape, _p(x, w).T @ _rows(dz)
    entries = entries_of(wide.reshape(kh, kw + 1, inputs, 2, outputs))
    return by_index(w.shape, lambda u, v, c, k: sum(entries[u, v + e, c, e, k] for e in range(2)))


EQUATIONS = (
    Equation(
        "pair.1", "P[nij, uvc] = x~[n, i + u, 2 j + v, c], v = 0 ... KW",
        lambda x, w: _pairs(x, w.shape[:2], _PLAIN.pads).reshape(4, -1), _p, f"NxHxWxC {_KERNEL}",
        _SIZES,
    ),
    Equation(
        "pair.2", "W[uvc, ek] = w[u, v - e, c, k], zero where w has no column v - e",
        _kernel_matrix, _matrix, _KERNEL, _SIZES,
    ),
    Equation(
        "pair.3", "z[n, i, 2 j + e, k] = b[k] + (P W)[nij, ek]", _PLAIN.of, _z, _GIVEN, _SIZES,
    ),
    Equation(
        "pair.4", "dW = P^T dZ",
        cotangent(lambda p, w: p @ w, 1), lambda p, w, dz: p.T @ dz, "MxE ExK MxK",
        {"M": 4, "E": 3, "K": 2},
    ),
    Equation(
        "pair.5", "dw[u,v,c,k] = sum_e dW[u (v+e) c, ek]",
        cotangent(_PLAIN.of, 1), _dw, _GIVEN_DZ, _SIZES,
    ),
)  # fmt: skip
