"""The peak rate of this machine, that of large matrix products."""

import time

import jax
import jax.numpy as jnp
import numpy as np


def peak_gflops() -> float:
    """GFLOP/s of a float32 matrix product on all cores, by numpy or JAX, the fastest of ten."""
    n = 2048
    a, b = np.random.default_rng(0).standard_normal((2, n, n), np.float32)
    product = jax.jit(jnp.matmul)
    seconds = []
    for multiply in (np.matmul, lambda a, b: product(a, b).block_until_ready()):
        for _ in range(10):
            began = time.perf_counter()
            multiply(a, b)
            seconds.append(time.perf_counter() - began)
    return float(f"{2 * n**3 / min(seconds) / 1e9:.4g}")
