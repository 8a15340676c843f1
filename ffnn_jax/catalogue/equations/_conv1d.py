"""The equations of the one-dimensional convolution, with stride, dilation and a pad."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._conv1d import reference_conv1d
from ffnn_jax.catalogue.equations._by_index import by_index, literal
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import conv1d

_S, _D, _PAD = 2, 2, 1
_SIZES = {"N": 2, "L": 5, "C": 1, "KL": 3, "K": 4, "J": 2}
_PADDED = _SIZES | {"L": 7, "C": 2, "N": 1}
_GIVEN = "NxLxC KLxCxK K"
_GIVEN_DZ = f"{_GIVEN} NxJxK"


def _padded(x: Array) -> Array:
    return jnp.pad(x, ((0, 0), (_PAD, _PAD), (0, 0)))


def _of_padded(x: Array, w: Array, b: Array) -> Array:
    """The plain definition, of x~."""
    return reference_conv1d(x, w, b, 0, _S, _D)


def _conv(x: Array, w: Array, b: Array) -> Array:
    return _of_padded(_padded(x), w, b)


@literal
def _z(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Array:
    """The right side of (line.1), from x~."""
    return by_index(
        (len(x), 2, len(b)),
        lambda n, j, k: b[k] + sum(
            x[n, _S * j + _D * v, c] * w[v, c, k] for v, c in np.ndindex(*w.shape[:2])
        ),
    )  # fmt: skip


@literal
def _dw(x: np.ndarray, w: np.ndarray, b: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (line.2), from x~."""
    return by_index(
        w.shape,
        lambda v, c, k: sum(
            x[n, _S * j + _D * v, c] * dz[n, j, k] for n, j in np.ndindex(*dz.shape[:2])
        ),
    )  # fmt: skip


@literal
def _dx(x: np.ndarray, w: np.ndarray, b: np.ndarray, dz: np.ndarray) -> Array:
    """The right side of (line.4)."""
    return by_index(
        x.shape,
        lambda n, place, c: sum(
            dz[n, j, k] * w[v, c, k]
            for j, v, k in np.ndindex(2, len(w), len(b)) if place == _S * j + _D * v
        ),
    )  # fmt: skip


EQUATIONS = (
    Equation(
        "line.1", "z[n,j,k] = b[k] + sum_{v,c} x~[n, s j + d v, c] w[v,c,k]",
        lambda x, w, b: conv1d(x, w, b, _PAD, _S, _D), lambda x, w, b: _z(_padded(x), w, b),
        _GIVEN, _SIZES,
    ),
    Equation(
        "line.2", "dw[v,c,k] = sum_{n,j} x~[n, s j + d v, c] dz[n,j,k]",
        cotangent(_conv, 1), lambda x, *others: _dw(_padded(x), *others), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "line.3", "db[k] = sum_{n,j} dz[n,j,k]",
        cotangent(_conv, 2), lambda x, w, b, dz: jnp.einsum("njk->k", dz), _GIVEN_DZ, _SIZES,
    ),
    Equation(
        "line.4", "dx~[n,l,c] = sum_{j,v,k: l = s j + d v} dz[n,j,k] w[v,c,k]",
        cotangent(_of_padded), _dx, _GIVEN_DZ, _PADDED,
    ),
)  # fmt: skip
