"""The equations of the activations of which one half gates the other, for one a and one b."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from ffnn_jax import layers
from ffnn_jax.catalogue import GELU, SIGMOID, SILU
from ffnn_jax.catalogue._proofs import FAR
from ffnn_jax.catalogue.equations._equation import Equation, cotangent, slope

Pair = tuple[Array, Array]
Gated = Callable[[Array, Array], Array]
sigmoid, silu, gelu = SIGMOID.reference, SILU.reference, GELU.reference


def _joined(a: Array, b: Array) -> Array:
    return jnp.concatenate([a, b])


def _glu(a: Array, b: Array) -> Array:
    return a * sigmoid(b)


def _swiglu(a: Array, b: Array) -> Array:
    return silu(a) * b


def _geglu(a: Array, b: Array) -> Array:
    return gelu(a) * b


def _glu_slopes(a: Array, b: Array) -> Pair:
    return sigmoid(b), a * slope(sigmoid)(b)


def _other_slopes(f: Callable[[Array], Array]) -> Callable[[Array, Array], Pair]:
    return lambda a, b: (slope(f)(a) * b, f(a))


def _slopes(z: Gated) -> Callable[[Array, Array], Pair]:
    """slope_a and slope_b by autodiff."""
    return lambda a, b: (slope(lambda a: z(a, b))(a), slope(lambda b: z(a, b))(b))


EQUATIONS = (
    Equation(
        "gated.1", "glu z = a f(b), f = sigmoid",
        lambda a, b: layers.glu(_joined(a, b)), _glu, "1 1", within=FAR,
    ),
    Equation(
        "gated.2", "swiglu z = f(a) b, f = silu",
        lambda a, b: layers.swiglu(_joined(a, b)), _swiglu, "1 1", within=FAR,
    ),
    Equation(
        "gated.3", "geglu z = f(a) b, f = gelu",
        lambda a, b: layers.geglu(_joined(a, b)), _geglu, "1 1", within=FAR,
    ),
    Equation(
        "gated.4",
        "glu: slope_a = f(b), slope_b = a f'(b); others: slope_a = f'(a) b, slope_b = f(a)",
        lambda a, b: tuple(_slopes(z)(a, b) for z in (_glu, _swiglu, _geglu)),
        lambda a, b: (_glu_slopes(a, b), _other_slopes(silu)(a, b), _other_slopes(gelu)(a, b)),
        "1 1", within=FAR,
    ),
    Equation(
        "gated.5", "da = dz slope_a, db = dz slope_b",
        lambda a, b, dz: (cotangent(_glu)(a, b, dz), cotangent(_glu, 1)(a, b, dz)),
        lambda a, b, dz: tuple(dz * one for one in _glu_slopes(a, b)), "1 1 1", within=FAR,
    ),
)  # fmt: skip
