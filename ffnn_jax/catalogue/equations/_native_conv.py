"""The equation that the chapter on the platform's own convolution repeats."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue.equations._by_index import by_index, literal
from ffnn_jax.catalogue.equations._convolution import Convolution
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers.fast._native_conv import native_conv2d_kernels

_S, _D = 2, 2
_PLAIN = Convolution(((1, 1), (2, 0)), _S, _D)
_SIZES = {"N": 1, "H": 3, "W": 5, "C": 2, "KH": 2, "KW": 3, "K": 3, "I": 2, "J": 2}


def _conv(x: Array, w: Array) -> Array:
    return _PLAIN.of(x, w, jnp.zeros(w.shape[3]))


@literal
def _dw(x: np.ndarray, w: np.ndarray, dz: np.ndarray) -> Array:
    """The right side, from x~."""

    def entry(u: int, v: int, c: int, k: int) -> Any:
        return sum(
            x[n, _S * i + _D * u, _S * j + _D * v, c] * dz[n, i, j, k]
            for n, i, j in np.ndindex(*dz.shape[:3])
        )  # fmt: skip

    return by_index(w.shape, entry)


EQUATIONS = (
    Equation(
        "conv.4", "dw[u,v,c,k] = sum_{n,i,j} x~[n, s i + d u, s j + d v, c] dz[n,i,j,k]",
        lambda x, w, dz: (
            cotangent(_conv, 1)(x, w, dz), native_conv2d_kernels(x, dz, w.shape[:2], _PLAIN.windows)
        ),
        lambda x, w, dz: (_dw(_PLAIN.padded(x), w, dz),) * 2, "NxHxWxC KHxKWxCxK NxIxJxK", _SIZES,
    ),
)  # fmt: skip
