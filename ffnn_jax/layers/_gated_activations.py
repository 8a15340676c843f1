"""Activations of which one half gates the other: equations (gated.1)-(gated.5).

The last axis of x holds a, then b. Both are factors of z, and one of them bends:

    glu       z = a f(b),  f = sigmoid                                          (gated.1)
    swiglu    z = f(a) b,  f = silu                                             (gated.2)
    geglu     z = f(a) b,  f = gelu                                             (gated.3)

The factor that bends has f's slope times the other factor, the other one has the slope f:

    slope of f(b) is a f'(b), or of f(a), f'(a) b;  of the other factor f       (gated.4)

Neither is in any other output, so with both slopes side by side, in the shape of x,

    da = dz slope_a,  db = dz slope_b                                           (gated.5)

Conventions: glu is gated by its second half, as in jax.nn.glu. swiglu and geglu bend the first,
which is x W of Shazeer (2020), whose x V is the second; gelu is the one with erf. The residual is
both slopes. Infinities have their limits, but one times a factor 0 has no limit, and is NaN.
"""

import jax.numpy as jnp

from ffnn_jax.layers._activations import Function, Operation, Values, wired
from ffnn_jax.layers._arguments import require, require_floating, upcast
from ffnn_jax.layers._sigmoid import sigmoid_forward
from ffnn_jax.layers._smooth_activations import gelu_forward, silu_forward

__all__ = [
    "geglu", "geglu_backward", "geglu_forward", "glu", "glu_backward", "glu_forward", "swiglu",
    "swiglu_backward", "swiglu_forward",
]  # fmt: skip


def _gated(named: Function, bent: int) -> Operation:
    name = named.__name__.strip("_")

    def forward(x: Values) -> tuple[Values, Values]:
        """Returns z and the residual, both slopes side by side."""
        require_floating(name, x=x)
        halves = x.ndim >= 1 and x.shape[-1] % 2 == 0
        require(halves, name, "x", "of shape (..., 2 C), an even last axis", x.shape)
        halves = jnp.split(upcast(x), 2, axis=-1)
        f, df = named(halves[bent])
        z = f * halves[1 - bent]  # (gated.1)-(gated.3)
        slopes = (df * halves[1 - bent], f)[:: 1 - 2 * bent]  # (gated.4)
        return z.astype(x.dtype), jnp.concatenate(slopes, axis=-1).astype(x.dtype)

    def backward(slopes: Values, dz: Values) -> tuple[Values]:
        """Returns (dx,), equation (gated.5)."""
        return (jnp.concatenate([dz, dz], axis=-1) * slopes,)  # (gated.5)

    return wired(named, forward, backward, shape="(..., 2 C) of a, then b; z is (..., C)")


def _glu(b: Values) -> tuple[Values, Values]:
    """Gated linear unit: z = a sigmoid(b), equation (gated.1)."""
    return sigmoid_forward(b)


def _swiglu(a: Values) -> tuple[Values, Values]:
    """SiLU gated linear unit: z = silu(a) b, equation (gated.2)."""
    return silu_forward(a)


def _geglu(a: Values) -> tuple[Values, Values]:
    """GELU gated linear unit: z = gelu(a) b, equation (gated.3)."""
    return gelu_forward(a)


glu_forward, glu, glu_backward = _gated(_glu, bent=1)
swiglu_forward, swiglu, swiglu_backward = _gated(_swiglu, bent=0)
geglu_forward, geglu, geglu_backward = _gated(_geglu, bent=0)
