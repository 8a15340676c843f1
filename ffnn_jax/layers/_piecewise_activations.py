"""Activations in pieces: equations (piecewise.1)-(piecewise.10).

[...] is 1 where it holds, else 0. A piece that holds the equality gives the slope at the kink.

    elu           z, slope = x, 1 if x > 0;  alpha (exp(x) - 1), alpha exp(x) if x <= 0
                                                                                (piecewise.1)
    selu          z, slope = those of elu times lambda                          (piecewise.2)
    celu          z, slope = x, 1 if x > 0;  alpha (exp(x/alpha) - 1), exp(x/alpha) if x <= 0
                                                                                (piecewise.3)
    relu6         z = min(max(x, 0), 6),          slope = [0 < x < 6]           (piecewise.4)
    hard_tanh     z = min(max(x, -1), 1),         slope = [-1 < x < 1]          (piecewise.5)
    hard_sigmoid  z = h = min(max(x + 3, 0), 6) / 6,  slope = 1/6 [-3 < x < 3]  (piecewise.6)
    hard_swish    z = x h,                        slope = h + x/6 [-3 < x < 3]  (piecewise.7)

selu's lambda and alpha keep mean 0 and variance 1 (Klambauer et al., 2017). exp(x) - 1 is computed
as one function, which is accurate near 0, and of min(x, 0), so that it cannot overflow.

prelu has a learned slope for each channel c, the last axis, and takes it at 0 too:

    z_mc = x_mc if x_mc > 0,  slope_c x_mc if x_mc <= 0                         (piecewise.8)
    dx_mc = dz_mc if x_mc > 0,  slope_c dz_mc if x_mc <= 0                      (piecewise.9)

All rows m share the slope, so its cotangent is the sum over them of dz_mc times dz_mc/dslope_c:

    dslope_c = sum_m dz_mc min(x_mc, 0)                                         (piecewise.10)

Its residuals are x and the slopes. A NaN in x gives NaN in z and dslope_c, and slope_c dz in dx.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._activations import Slopes, Values, elementwise, wired
from ffnn_jax.layers._arguments import require, require_parameters, upcast

__all__ = [
    "celu", "celu_backward", "celu_forward", "elu", "elu_backward", "elu_forward",
    "hard_sigmoid", "hard_sigmoid_backward", "hard_sigmoid_forward", "hard_swish",
    "hard_swish_backward", "hard_swish_forward", "hard_tanh", "hard_tanh_backward",
    "hard_tanh_forward", "prelu", "prelu_backward", "prelu_forward", "relu6", "relu6_backward",
    "relu6_forward", "selu", "selu_backward", "selu_forward",
]  # fmt: skip

Rows = Float[Array, "... C"]
Channels = Float[Array, " C"]
_LAMBDA, _ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def _elu(x: Values, alpha: float = 1.0) -> tuple[Values, Slopes]:
    """Exponential linear unit, elementwise, with derivative alpha at 0: equation (piecewise.1)."""
    z = jnp.where(x > 0, x, alpha * jnp.expm1(_negative_part(x)))
    return z, jnp.where(
        x > 0, jnp.ones_like(x), alpha * jnp.exp(_negative_part(x))
    )  # (piecewise.1)


def _selu(x: Values) -> tuple[Values, Slopes]:
    """Scaled exponential linear unit, elementwise: equation (piecewise.2)."""
    z, slope = _elu(x, _ALPHA)
    return _LAMBDA * z, _LAMBDA * slope  # (piecewise.2)


def _celu(x: Values, alpha: float = 1.0) -> tuple[Values, Slopes]:
    """Continuously differentiable exponential linear unit, elementwise: equation (piecewise.3)."""
    scaled = _negative_part(x) / alpha
    z = jnp.where(x > 0, x, alpha * jnp.expm1(scaled))
    return z, jnp.where(x > 0, jnp.ones_like(x), jnp.exp(scaled))  # (piecewise.3)


def _relu6(x: Values) -> tuple[Values, Slopes]:
    """Rectified linear unit up to 6, elementwise, with derivative 0 at 0 and 6: (piecewise.4)."""
    return jnp.clip(x, 0, 6), (x > 0) & (x < 6)  # (piecewise.4)


def _hard_tanh(x: Values) -> tuple[Values, Slopes]:
    """Clips to [-1, 1], elementwise, with derivative 0 at -1 and 1: equation (piecewise.5)."""
    return jnp.clip(x, -1, 1), (x > -1) & (x < 1)  # (piecewise.5)


def _hard_sigmoid(x: Values) -> tuple[Values, Slopes]:
    """Relu6(x + 3) / 6, elementwise, with derivative 0 at -3 and 3: equation (piecewise.6)."""
    return (jnp.clip(x, -3, 3) + 3) / 6, (x > -3) & (x < 3)  # (piecewise.6)


def _hard_swish(x: Values) -> tuple[Values, Slopes]:
    """The product x hard_sigmoid(x), elementwise, with derivative 0 at -3 and 1 at 3."""
    h, inside = _hard_sigmoid(x)
    return jnp.maximum(x, -3) * h, h + jnp.where(inside, x / 6, jnp.zeros_like(x))  # (piecewise.7)


def _negative_part(x: Values) -> Values:
    """The minimum of x and 0, with derivative 1 at 0, for second derivatives there."""
    return jnp.where(x > 0, jnp.zeros_like(x), x)


elu_forward, elu, elu_backward = elementwise(_elu)
selu_forward, selu, selu_backward = elementwise(_selu)
celu_forward, celu, celu_backward = elementwise(_celu)
relu6_forward, relu6, relu6_backward = elementwise(_relu6)
hard_tanh_forward, hard_tanh, hard_tanh_backward = elementwise(_hard_tanh)
hard_sigmoid_forward, hard_sigmoid, hard_sigmoid_backward = elementwise(_hard_sigmoid, 1 / 6)
hard_swish_forward, hard_swish, hard_swish_backward = elementwise(_hard_swish)


def _prelu(x: Rows, slope: Channels) -> tuple[Rows, tuple[Rows, Channels]]:
    """Returns z and the residuals x and slope."""
    require_parameters("prelu", x, slope=slope)
    channels = x.shape[-1:] or ("C",)
    require(slope.shape == channels, "prelu", "slope", f"of shape {channels}", slope.shape)
    return _sloped_below_0(x, slope, x), (x, slope)  # (piecewise.8)


def _prelu_backward(residuals: tuple[Rows, Channels], dz: Rows) -> tuple[Rows, Channels]:
    """Returns (dx, dslope), equations (piecewise.9) and (piecewise.10)."""
    x, slope = residuals
    dx = _sloped_below_0(x, slope, dz)  # (piecewise.9)
    terms = upcast(dz) * upcast(_negative_part(x))
    dslope = jnp.sum(terms, axis=tuple(range(x.ndim - 1)))  # (piecewise.10)
    return dx, dslope.astype(slope.dtype)


def _sloped_below_0(x: Rows, slope: Channels, v: Rows) -> Rows:
    sloped = upcast(v) * jnp.broadcast_to(upcast(slope), v.shape)
    return jnp.where(x > 0, v, sloped.astype(v.dtype))


prelu_forward, prelu, prelu_backward = wired(
    "prelu", "Leaky rectified linear unit with a learned slope (C) per channel: (piecewise.8).",
    _prelu, _prelu_backward, shape="(..., C)",
)  # fmt: skip
