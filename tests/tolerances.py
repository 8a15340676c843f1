"""The one table of tolerances: no test invents its own.

A sum of n terms rounds as a random walk, so what is allowed grows as sqrt(n), not as n. Layers add
up in float32 at least, so narrower dtypes have the same allowance for sums, and two roundings
on top: a residual that is stored, and the result.

Float64 allows 4.5 million epsilons, far more than rounding needs and far less than any fault: a
factor of 1.0001 is 100,000 times too much.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

SUMS = {"float64": 1e-9, "float32": 16 * 2.0**-23}
ROUNDINGS = {"float64": 0.0, "float32": 0.0, "bfloat16": 2 * 2.0**-7, "float16": 2 * 2.0**-10}

# An update rule and optax's do the same few operations on each number, 200 times.
SAME_ARITHMETIC = 1e-12

# A central difference with step h is wrong by about h^2 (the curvature) and eps / h (the rounding),
# least at h = eps^(1/3), where both are eps^(2/3) = 4e-11; derivatives and sums may be 100 large.
DIFFERENCE_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
DIFFERENCE = 100 * DIFFERENCE_STEP**2


def tolerance(dtype: DTypeLike, reduction_length: int = 1) -> float:
    """Allowed rtol and atol: a result of ``dtype``, a sum of ``reduction_length`` terms near 1."""
    name = jnp.dtype(dtype).name
    sums = SUMS["float64" if name == "float64" else "float32"]
    return sums * math.sqrt(max(reduction_length, 1)) + ROUNDINGS[name]
