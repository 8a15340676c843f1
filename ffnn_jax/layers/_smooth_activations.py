"""Activations without a kink: equations (smooth.1)-(smooth.14).

Let s = 1 / (1 + exp(-x)) be the logistic sigmoid, whose slope is s (1 - s); Phi and phi the normal
distribution function and its density, Phi' = phi. A number that vanishes at an end is written as
such, never as a difference: 1 - z^2 of tanh with e = exp(-2|x|), Phi with erfc. Each slope of a
product x f is f + x f', which would be infinity times 0 at an end if x were not clipped there.

    tanh       z = (exp(x) - exp(-x)) / (exp(x) + exp(-x))                      (smooth.1)
               slope = 1 - z^2 = 4 e / (1 + e)^2                                (smooth.2)
    softplus   z = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))             (smooth.3)
               slope = exp(x) / (1 + exp(x)) = s                                (smooth.4)
    softsign   z = x / (1 + |x|)                                                (smooth.5)
               slope = (1 + |x| - x sign x) / (1 + |x|)^2 = 1 / (1 + |x|)^2     (smooth.6)
    silu       z = x s                                                          (smooth.7)
               slope = s + x s (1 - s)                                          (smooth.8)
    gelu       z = x Phi                                                        (smooth.9)
               slope = Phi + x phi                                              (smooth.10)
    gelu_tanh  z = x (1 + tanh(v/2)) / 2 = x s(v),  v = k (x + 0.044715 x^3)    (smooth.11)
               slope = s(v) + x s(v) (1 - s(v)) k (1 + 3 0.044715 x^2)          (smooth.12)
    mish       z = x t,  t = tanh(log(1 + u)) = n / (n + 2),  n = u^2 + 2 u     (smooth.13)
               slope = t + x t',  t' = 2 n' / (n + 2)^2,  n' = 2 u (1 + u)      (smooth.14)

With k = sqrt(8/pi) gelu_tanh is x/2 + x^2 / sqrt(2 pi) near 0, as gelu is. In mish u = exp(x),
and the tanh is ((1 + u)^2 - 1) / ((1 + u)^2 + 1). There e = exp(-|x|) is u for x < 0 and 1/u for
x >= 0, where fractions are expanded by powers of e, so that nothing overflows.
"""

import math

import jax
import jax.numpy as jnp

from ffnn_jax.layers._activations import FAR, Slopes, Values, elementwise
from ffnn_jax.layers._sigmoid import sigmoid_forward

__all__ = [
    "gelu", "gelu_backward", "gelu_forward", "gelu_tanh", "gelu_tanh_backward",
    "gelu_tanh_forward", "mish", "mish_backward", "mish_forward", "silu", "silu_backward",
    "silu_forward", "softplus", "softplus_backward", "softplus_forward", "softsign",
    "softsign_backward", "softsign_forward", "tanh", "tanh_backward", "tanh_forward",
]  # fmt: skip


def _tanh(x: Values) -> tuple[Values, Slopes]:
    """Hyperbolic tangent, elementwise: equation (smooth.1)."""
    e = jnp.exp(-2 * jnp.abs(x))
    slope = 4 * e / (1 + e) ** 2  # (smooth.2)
    return jnp.tanh(x), slope  # (smooth.1)


def _softplus(x: Values) -> tuple[Values, Slopes]:
    """Smooth rectifier, elementwise: z = log(1 + exp(x)), equation (smooth.3)."""
    positive_part = jnp.where(x < 0, jnp.zeros_like(x), x)
    z = positive_part + jnp.log1p(jnp.exp(-jnp.abs(x)))  # (smooth.3)
    return z, sigmoid_forward(x)[0]  # (smooth.4)


def _softsign(x: Values) -> tuple[Values, Slopes]:
    """Softsign, elementwise: z = x / (1 + |x|), equation (smooth.5)."""
    largest = float(jnp.finfo(x.dtype).max)
    x = jnp.clip(x, -largest, largest)
    slope = (1 / (1 + jnp.abs(x))) ** 2  # (smooth.6)
    return x / (1 + jnp.abs(x)), slope  # (smooth.5)


def _silu(x: Values) -> tuple[Values, Slopes]:
    """Sigmoid linear unit (swish), elementwise: z = x sigmoid(x), equation (smooth.7)."""
    s, ds = sigmoid_forward(x)
    slope = s + jnp.clip(x, -FAR, FAR) * ds  # (smooth.8)
    return jnp.maximum(x, -FAR) * s, slope  # (smooth.7)


def _gelu(x: Values) -> tuple[Values, Slopes]:
    """Gaussian error linear unit, elementwise: z = x Phi(x), equation (smooth.9)."""
    near = jnp.clip(x, -FAR, FAR)
    cumulative = jax.lax.erfc(near * -math.sqrt(0.5)) / 2
    density = jnp.exp(-(near**2) / 2) / math.sqrt(2 * math.pi)
    slope = cumulative + near * density  # (smooth.10)
    return jnp.maximum(x, -FAR) * cumulative, slope  # (smooth.9)


def _gelu_tanh(x: Values) -> tuple[Values, Slopes]:
    """The tanh approximation of gelu, elementwise: equation (smooth.11)."""
    near, k = jnp.clip(x, -FAR, FAR), math.sqrt(8 / math.pi)
    s, ds = sigmoid_forward(k * (near + 0.044715 * near**3))
    slope = s + near * ds * k * (1 + 3 * 0.044715 * near**2)  # (smooth.12)
    return jnp.maximum(x, -FAR) * s, slope  # (smooth.11)


def _mish(x: Values) -> tuple[Values, Slopes]:
    """Mish, elementwise: z = x tanh(log(1 + exp(x))), equation (smooth.13)."""
    e = jnp.exp(-jnp.abs(x))
    n = jnp.where(x < 0, e * (e + 2), 1 + 2 * e)
    n_plus_2 = n + jnp.where(x < 0, jnp.full_like(e, 2), 2 * e**2)
    dt = 4 * jnp.where(x < 0, e, e**2) * (1 + e) / n_plus_2**2
    slope = n / n_plus_2 + jnp.clip(x, -FAR, FAR) * dt  # (smooth.14)
    return jnp.maximum(x, -FAR) * (n / n_plus_2), slope  # (smooth.13)


tanh_forward, tanh, tanh_backward = elementwise(_tanh)
softplus_forward, softplus, softplus_backward = elementwise(_softplus)
softsign_forward, softsign, softsign_backward = elementwise(_softsign)
silu_forward, silu, silu_backward = elementwise(_silu)
gelu_forward, gelu, gelu_backward = elementwise(_gelu)
gelu_tanh_forward, gelu_tanh, gelu_tanh_backward = elementwise(_gelu_tanh)
mish_forward, mish, mish_backward = elementwise(_mish)
