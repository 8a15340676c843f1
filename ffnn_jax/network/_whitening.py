"""Kernels that whiten patches: the first layer of a network that trains fast.

Let P hold all M patches of D pixel values of normalised images, one a row, as in (conv.2). Nearby
pixels are alike, so the covariance of P, whose mean is about 0, is far from the identity:

    S = P^T P / M                                                               (whitening.1)
    S = V diag(l) V^T,  V^T V = 1                                               (whitening.2)

Projected on V and divided by the standard deviations, patches have covariance l / (l + eps), which
is 1 but for directions in which images hardly vary:

    W = V diag(l + eps)^{-1/2},  (P W)^T (P W) / M = diag(l / (l + eps))        (whitening.3)

The kernels are [W, -W], since the activation that follows keeps one sign of each projection. The
sign of an eigenvector is free; here its largest entry is positive.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._patches import patches


def whitening_kernels(
    images: Float[Array, "N H W C"], shape: tuple[int, ...], eps: float
) -> Float[Array, "KH KW C K"]:
    """Kernels [W, -W] of (whitening.3), of this shape, with K = 2 KH KW C.

    Directions are in decreasing order of variance.
    """
    p = patches(images, shape[:2], (1, 1)).reshape(-1, math.prod(shape[:-1]))
    s = p.T @ p / len(p)  # (whitening.1)
    variances, v = jnp.linalg.eigh(s)  # (whitening.2)
    largest = jnp.take_along_axis(v, jnp.argmax(jnp.abs(v), axis=0)[None], axis=0)
    w = v * jnp.sign(largest) / jnp.sqrt(variances + eps)[None]  # (whitening.3)
    w = w[:, ::-1]
    return jnp.concatenate([w, -w], axis=1).reshape(shape)
