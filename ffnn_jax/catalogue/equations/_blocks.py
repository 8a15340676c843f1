"""The equation of a convolution by blocks of images."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._conv import reference_conv2d
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers.fast._blocks import map_blocks, sum_blocks

_BLOCK = 2
_SIZES = {"N": 2 * _BLOCK, "H": 3, "W": 1, "C": 1, "KH": 2, "K": 2, "I": 2}


def _conv(x: Array, w: Array) -> Array:
    return reference_conv2d(x, w, jnp.zeros(w.shape[3]), "VALID")


def _of_all(x: Array, w: Array, dz: Array) -> tuple[Array, ...]:
    """The whole batch, and what the code makes of its blocks."""
    return (
        _conv(x, w),
        map_blocks(_BLOCK, lambda x: _conv(x, w), x),
        cotangent(_conv, 1)(x, w, dz),
        sum_blocks(_BLOCK, lambda x, dz: cotangent(_conv, 1)(x, w, dz), x, dz),
    )


def _of_blocks(x: Array, w: Array, dz: Array) -> tuple[Any, ...]:
    """The right sides, each twice."""
    blocks = [slice(first, first + _BLOCK) for first in range(0, len(x), _BLOCK)]
    z = jnp.concatenate([_conv(x[block], w) for block in blocks])
    dw = sum(cotangent(_conv, 1)(x[block], w, dz[block]) for block in blocks)
    return z, z, dw, dw


EQUATIONS = (
    Equation(
        "block.1", "z = (z of block 1, z of block 2, ...), dw = sum_B dw of block B",
        _of_all, _of_blocks, "NxHxWxC KHxWxCxK NxIxWxK", _SIZES,
    ),
)  # fmt: skip
