"""Activations of which one half gates the other: equations (gated.1)-(gated.5).

The last axis of x holds a, then b. Both are factors of z, and one of them bends:

    glu       z = a f(b),  f = sigmoid                                          (gated.1)
    swiglu    z = f(a) b,  f = silu                                             (gated.2)
    geglu     z = f(a) b,  f = gelu                                             (gated.3)

By the product rule the half inside f has f' times the other factor as its slope, the other one f:

    glu: slope_a = f(b), slope_b = a f'(b);  others: slope_a = f'(a) b, slope_b = f(a)  (gated.4)

Neither is in any other output, so with both slopes side by side, in the shape of x,

    da = dz slope_a,  db = dz slope_b                                           (gated.5)

Conventions: glu is gated by its second half, as in jax.nn.glu. swiglu and geglu bend the first,
which is x W of Shazeer (2020), whose x V is the second; gelu is the one with erf. The residual is
x, as for the others. Infinities have their limits, but one times a factor 0 has none, and is NaN.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from ffnn_jax.layers._activations import Operation, Values, wired
from ffnn_jax.layers._arguments import require, require_floating, upcast
from ffnn_jax.layers._sigmoid import sigmoid_backward, sigmoid_forward
from ffnn_jax.layers._smooth_activations import (
    gelu_backward,
    gelu_forward,
    silu_backward,
    silu_forward,
)

__all__ = [
    "geglu", "geglu_backward", "geglu_forward", "glu", "glu_backward", "glu_forward", "swiglu",
    "swiglu_backward", "swiglu_forward",
]  # fmt: skip


def _gated(name: str, f: Callable[..., Any], inside: int, equation: str) -> Operation:
    """The operation with f of one half, numbered 0 or 1, times the other; f gives its slope too."""

    def forward(x: Values) -> tuple[Values, Values]:
        """Returns z and the residual x."""
        require_floating(name, x=x)
        even = x.ndim >= 1 and x.shape[-1] % 2 == 0
        require(even, name, "x", "of shape (..., 2 C), an even last axis", x.shape)
        halves = jnp.split(upcast(x), 2, axis=-1)
        z = f(halves[inside])[0] * halves[1 - inside]  # (gated.1), (gated.2), (gated.3)
        return z.astype(x.dtype), x

    def backward(x: Values, dz: Values) -> tuple[Values]:
        """Returns (dx,), equation (gated.5)."""
        halves = jnp.split(upcast(x), 2, axis=-1)
        bent, slope = f(halves[inside])
        slopes = slope * halves[1 - inside], bent  # (gated.4)
        in_order = slopes[::-1] if inside else slopes
        dx = jnp.concatenate([upcast(dz) * one for one in in_order], axis=-1)  # (gated.5)
        return (dx.astype(x.dtype),)

    doc = f"One half of the last axis gated by the other: z of equation {equation}."
    return wired(name, doc, forward, backward, shape="(..., 2 C) of a, then b; z is (..., C)")


def _with_slope(forward: Any, backward: Any) -> Callable[[Values], tuple[Values, Values]]:
    """The function x -> (z, slope) of an activation: its backward, of a cotangent of ones."""

    def function(x: Values) -> tuple[Values, Values]:
        z, kept = forward(x)
        return z, backward(kept, jnp.ones_like(x))[0]

    return function


_sigmoid = _with_slope(sigmoid_forward, sigmoid_backward)
_silu = _with_slope(silu_forward, silu_backward)
_gelu = _with_slope(gelu_forward, gelu_backward)
glu_forward, glu, glu_backward = _gated("glu", _sigmoid, 1, "(gated.1)")
swiglu_forward, swiglu, swiglu_backward = _gated("swiglu", _silu, 0, "(gated.2)")
geglu_forward, geglu, geglu_backward = _gated("geglu", _gelu, 0, "(gated.3)")
