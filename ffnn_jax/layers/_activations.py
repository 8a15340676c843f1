"""What the activations share: equations (act.1)-(act.3), conventions and limits.

An activation is a function f of one number, applied to each entry. Its family's chapter states f
and derives its slope. No output but z_i depends on x_i, so the chain rule's sum has one term:

    z_i = f(x_i),   slope_i = f'(x_i)                                           (act.1)
    dx_i = sum_l dz_l dz_l/dx_i = dz_i slope_i                                  (act.2)

The residual is x: the slope is quicker to compute again than to write and to read, and a step of
a small network with batch norm and gelu that kept the slope took 1.2 times as long
(``experiments/fused_norm.py``). Some slopes can be written by z, which the next layer often keeps
too, but once z is rounded to 1 tanh's 1 - z^2 is 0, and its slope is not. Where the slope has two
values, 0 and c, the residual is [slope_i = c], one byte per entry:

    dx_i = c dz_i if slope_i = c,  0 if slope_i = 0                             (act.3)

                      slope by z                slope at kinks     at -infinity    at infinity
    tanh, softsign    1 - z^2, (1 - |z|)^2      no kink            z = -1          z = 1
    softplus          1 - exp(-z)               no kink            z = 0           z = x
    silu, mish        none: each z in their     no kink            z = 0           z = x
    gelu, gelu_tanh   dip has two slopes        no kink            z = 0           z = x
    elu               z + alpha for x <= 0      alpha at 0         z = -alpha      z = x
    selu              z + lambda alpha, x <= 0  lambda alpha at 0  -lambda alpha   z = lambda x
    celu              1 + z / alpha for x <= 0  no kink            z = -alpha      z = x
    relu6, hard_tanh  1 for z inside its range  0 at both          least z         greatest z
    hard_sigmoid      1/6 for z inside it       0 at both          z = 0           z = 1
    hard_swish        none: two slopes          0 at -3, 1 at 3    z = 0           z = x

At the infinities z and slope are these limits, the slope 1 (selu's lambda) where z grows with x and
0 elsewhere. There a factor x may meet one that has vanished, so it is x clipped to +-FAR, beyond
which exp(-|x|) is 0 even in float64. NaN stays NaN in z and dx, but (act.3) has dx = 0. All is
computed in at least float32, and z and dx are rounded once, to x's dtype.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ffnn_jax.layers import _arguments
from ffnn_jax.layers._arguments import require, require_floating, upcast

__all__: list[str] = []

FAR = 800.0
Values = Float[Array, "..."]
Slopes = Kept = Values | Bool[Array, "..."]
Function = Callable[..., tuple[Values, Slopes]]
Operation = tuple[Function, jax.custom_vjp[Values], Callable[..., tuple[Values]]]


def elementwise(function: Function, c: float = 1.0) -> Operation:
    """Forward, operation and backward of x (and alpha) -> (z, slope); a slope of True is c."""
    name, signature = function.__name__.strip("_"), inspect.signature(function)

    def forward(x: Values, *settings: float, **named: float) -> tuple[Values, Kept]:
        """Returns z and the residual: x, or where the slope is c."""
        require_floating(name, x=x)
        _, *alphas = signature.bind(x, *settings, **named).args
        for alpha in alphas:
            in_range = _arguments.is_number(alpha) and 0 < alpha < math.inf
            require(in_range, name, "alpha", "a finite number above 0", repr(alpha))
        z, slope = function(upcast(x), *map(float, alphas))  # (act.1)
        return z.astype(x.dtype), slope if slope.dtype == bool else x

    def backward(kept: Kept, dz: Values, *alphas: float) -> tuple[Values]:
        """Returns (dx,), equation (act.2) or (act.3)."""
        if kept.dtype == bool:
            dx = jnp.where(kept, upcast(dz) * c, jnp.zeros_like(upcast(dz)))  # (act.3)
        else:
            x = jax.lax.optimization_barrier(kept)  # else XLA may keep what the forward computed
            _, slope = function(upcast(x), *alphas)  # (act.1)
            dx = upcast(dz) * slope  # (act.2)
        return (dx.astype(dz.dtype),)

    def backward_with_alpha(alpha: float, kept: Kept, dz: Values) -> tuple[Values]:
        """Returns (dx,), equation (act.2)."""
        return backward(kept, dz, float(alpha))

    vars(forward)["__signature__"] = signature
    forward.__module__ = function.__module__
    alpha = "\n        alpha: a finite number above 0." * (len(signature.parameters) - 1)
    either = backward_with_alpha if alpha else lambda kept, dz: backward(kept, dz)
    return wired(name, function.__doc__, forward, either, alpha=alpha)


def wired(
    name: str, doc: Any, forward: Any, backward: Any, alpha: str = "", shape: str = "of any shape"
) -> Any:
    """Forward, operation and backward, named and documented."""

    def operation(*arguments: Any) -> Values:
        return forward(*arguments)[0]

    operation.__doc__ = f"""{doc}

    Args:
        x: array {shape}.{alpha}

    Raises:
        ValueError: an argument is not as described, or x is not floating-point.
    """
    vars(operation)["__signature__"] = inspect.signature(forward).replace(return_annotation=Values)
    for part, suffix in ((forward, "_forward"), (operation, ""), (backward, "_backward")):
        part.__name__ = part.__qualname__ = name + suffix
        part.__module__ = forward.__module__
    public = _arguments.custom_vjp_with_static(*[1] * bool(alpha))(operation)
    public.defvjp(forward, backward)
    return forward, public, backward
