"""Rows of channels, and the checks of arguments that the chapters on normalisation share."""

import math

import jax.numpy as jnp
from jax import Array

from ffnn_jax.layers._arguments import accumulation_dtype, is_number, require, require_parameters


def rows_of(x: Array) -> Array:
    """Reshapes (..., C) to (M, C)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def require_channels(function: str, x: Array, least: int, **parameters: Array) -> None:
    """Raises ValueError unless x has ``least`` axes or more, and each parameter its channels."""
    require_parameters(function, x, **parameters)
    shape = "(..., C), rows of channels" if least == 2 else "(..., C)"
    require(x.ndim >= least, function, "x", f"of shape {shape}", x.shape)
    for name, array in parameters.items():
        channels = x.shape[-1:]
        require(array.shape == channels, function, name, f"of shape {channels}", array.shape)


def require_eps(function: str, x: Array, eps: float) -> None:
    """Raises ValueError unless eps is a number above 0 in the dtype of the statistics of x."""
    dtype = accumulation_dtype(x)
    in_range = is_number(eps) and float(jnp.finfo(dtype).tiny) <= eps < math.inf
    require(in_range, function, "eps", f"a finite number above 0 in {dtype}", repr(eps))
