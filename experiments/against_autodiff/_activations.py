"""The activations, beside those of ``jax.nn`` where it has them."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from experiments.against_autodiff._row import Form, Row, functional
from ffnn_jax import layers


def _named(name: str, **settings: Any) -> dict[str, Form]:
    """A function of ``jax.nn``, with these settings."""
    function = getattr(jax.nn, name)
    return {f"jax.nn.{name}": lambda x: function(x, **settings)}


def _elementwise(operation: Any, forms: dict[str, Form], torch: Form) -> Row:
    return Row(operation, ("Nx16x16x64",), forms, torch, 128)


def _prelu(x: Array, slope: Array) -> Array:
    return jnp.where(x > 0, x, slope * x)


def _gated(operation: Any, forms: dict[str, Form], torch: Form) -> Row:
    return Row(operation, ("Nx16x16x128",), forms, torch, 128)


def _gates(name: str, **settings: Any) -> dict[str, Form]:
    """The first half, through a function of ``jax.nn``, times the second."""
    function = getattr(jax.nn, name)

    def form(x: Array) -> Array:
        a, b = jnp.split(x, 2, axis=-1)
        return function(a, **settings) * b

    return {f"jax.nn.{name} and a product": form}


def _torch_gated(name: str) -> Form:
    def form(torch: Any, x: Any) -> Any:
        a, b = x.chunk(2, dim=1)
        return getattr(torch.nn.functional, name)(a) * b

    return form


ACTIVATIONS = (
    _elementwise(
        layers.relu, {**_named("relu"), "jnp.maximum": lambda x: jnp.maximum(x, 0)},
        functional("relu"),
    ),
    _elementwise(
        layers.leaky_relu,
        {**_named("leaky_relu"), "jnp.where": lambda x: jnp.where(x > 0, x, 0.01 * x)},
        functional("leaky_relu"),
    ),
    Row(
        layers.prelu, ("Nx16x16x64", "64"), {"jnp.where": _prelu}, functional("prelu"), 128,
    ),
    _elementwise(layers.relu6, _named("relu6"), functional("relu6")),
    _elementwise(layers.sigmoid, _named("sigmoid"), functional("sigmoid")),
    _elementwise(layers.tanh, {"jnp.tanh": jnp.tanh}, functional("tanh")),
    _elementwise(layers.softplus, _named("softplus"), functional("softplus")),
    _elementwise(layers.softsign, _named("soft_sign"), functional("softsign")),
    _elementwise(layers.silu, _named("silu"), functional("silu")),
    _elementwise(layers.gelu, _named("gelu", approximate=False), functional("gelu")),
    _elementwise(
        layers.gelu_tanh, _named("gelu", approximate=True), functional("gelu", approximate="tanh")
    ),
    _elementwise(layers.mish, _named("mish"), functional("mish")),
    _elementwise(layers.elu, _named("elu"), functional("elu")),
    _elementwise(layers.selu, _named("selu"), functional("selu")),
    _elementwise(layers.celu, _named("celu"), functional("celu")),
    _elementwise(layers.hard_tanh, _named("hard_tanh"), functional("hardtanh")),
    _elementwise(layers.hard_sigmoid, _named("hard_sigmoid"), functional("hardsigmoid")),
    _elementwise(layers.hard_swish, _named("hard_swish"), functional("hardswish")),
    _gated(layers.glu, _named("glu"), functional("glu", dim=1)),
    _gated(layers.swiglu, _gates("silu"), _torch_gated("silu")),
    _gated(layers.geglu, _gates("gelu", approximate=False), _torch_gated("gelu")),
)  # fmt: skip
