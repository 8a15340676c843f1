"""The single table of tolerances: no test defines its own.

The rounding error of a sum of n terms is a random walk, so the tolerance grows as sqrt(n), not as
n. Layers sum in at least float32, so narrower dtypes have the same allowance for sums, plus two
roundings: of a stored residual, and of the result.

Float64 allows 4.5 million epsilons, far more than rounding needs and far less than any fault: a
factor of 1.0001 exceeds it 100,000 times.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

SUMS = {"float64": 1e-9, "float32": 16 * 2.0**-23}
ROUNDINGS = {"float64": 0.0, "float32": 0.0, "bfloat16": 2 * 2.0**-7, "float16": 2 * 2.0**-10}

# Our update rule and optax's apply the same few operations to each number, 200 times.
SAME_ARITHMETIC = 1e-12

# A central difference with step h has errors of about h^2 (truncation) and eps / h (rounding),
# least at h = eps^(1/3), where both are eps^(2/3) = 4e-11; derivatives and sums may reach 100.
DIFFERENCE_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
DIFFERENCE = 100 * DIFFERENCE_STEP**2


def tolerance(dtype: DTypeLike, reduction_length: int = 1) -> float:
    """Rtol and atol for a result of ``dtype`` that sums ``reduction_length`` terms near 1."""
    name = jnp.dtype(dtype).name
    sums = SUMS["float64" if name == "float64" else "float32"]
    return sums * math.sqrt(max(reduction_length, 1)) + ROUNDINGS[name]
