"""The equations of padding, with other widths on every side."""

import functools
from typing import Any

import numpy as np
from jax import Array

from ffnn_jax.catalogue._pad import reference_pad
from ffnn_jax.catalogue.equations._by_index import by_index, literal
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, derivative
from ffnn_jax.layers import pad

_T, _B, _L, _R, _VALUE = 1, 0, 2, 1, 0.5
_WIDTH = (_T, _B), (_L, _R)
_SIZES = {"N": 2, "H": 2, "W": 3, "C": 1, "I": 3, "J": 6}
_padded = functools.partial(reference_pad, width=_WIDTH, value=_VALUE)


@literal
def _z(x: np.ndarray) -> Array:
    """The right side of (pad.1)."""

    def entry(n: int, i: int, j: int, c: int) -> Any:
        inside = 0 <= i - _T < x.shape[1] and 0 <= j - _L < x.shape[2]
        return x[n, i - _T, j - _L, c] if inside else _VALUE

    return by_index((len(x), 3, 6, x.shape[3]), entry)


def _slopes(x: Array) -> Array:
    """The right side of (pad.2), over i, j, h and w."""
    return by_index((3, 6, *x.shape[1:3]), lambda i, j, h, w: i == h + _T and j == w + _L)


EQUATIONS = (
    Equation(
        "pad.1", "z[n,i,j,c] = x[n, i - t, j - l, c] inside of the image, value outside",
        lambda x: pad(x, _WIDTH, _VALUE), _z, "NxHxWxC", _SIZES,
    ),
    Equation(
        "pad.2", "dz[n,i,j,c]/dx[n,h,w,c] = 1 if i = h + t and j = w + l, else 0",
        lambda x: derivative(_padded)(x)[0, :, :, 0, 0, :, :, 0], _slopes, "NxHxWxC", _SIZES,
    ),
    Equation(
        "pad.3", "dx[n,h,w,c] = dz[n, h + t, w + l, c]",
        cotangent(_padded),
        literal(lambda x, dz: by_index(x.shape, lambda n, h, w, c: dz[n, h + _T, w + _L, c])),
        "NxHxWxC NxIxJxC", _SIZES,
    ),
)  # fmt: skip
