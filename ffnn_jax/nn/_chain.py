"""Chains: the only place where layers are numbered, named and applied; chains as one layer."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from ffnn_jax._base_config import Allowed
from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import Layer, layer_keys, require_input
from ffnn_jax.nn._param import Shape, Tree

__all__ = [
    "Residual", "Sequential", "apply", "mixes_batch", "needs_key", "numbered", "outputs",
    "params_of", "shapes_through", "state_of",
]  # fmt: skip

Layers = Sequence[Layer]


def numbered(layers: Layers) -> list[tuple[int, str, Layer]]:
    """(number, name, layer) of each layer, numbered from 1, with names such as "conv_1"."""
    return [(n, f"{type(layer).__name__.lower()}_{n}", layer) for n, layer in enumerate(layers, 1)]


def shapes_through(layers: Layers, shape: Shape) -> list[Shape]:
    """The input shape of each layer, then the last output's; a UserError numbers a misfit."""
    shapes = [shape]
    for number, layer in enumerate(layers, start=1):
        try:
            shapes.append(layer.output_shape(shapes[-1]))
        except UserError as error:
            raise UserError(f"layer {number}, {error}, input shape {shapes[-1]}") from None
    return shapes


def params_of(layers: Layers, shape: Shape) -> Tree:
    """Parameters by layer name, for the layers that have any."""
    return _by_layer_name("params", layers, shape)


def state_of(layers: Layers, shape: Shape) -> Tree:
    """State by layer name, for the layers that have any."""
    return _by_layer_name("state", layers, shape)


def _by_layer_name(method: str, layers: Layers, shape: Shape) -> Tree:
    inputs = zip(numbered(layers), shapes_through(layers, shape), strict=False)
    return _without_empty({name: getattr(layer, method)(s) for (_, name, layer), s in inputs})


def _without_empty(trees: Tree) -> Tree:
    return {name: tree for name, tree in trees.items() if tree}


def mixes_batch(layers: Layers) -> bool:
    """Whether any layer, nested ones included, makes outputs depend on other images."""
    return any(layer.mixes_batch for layer in with_nested(layers))


def needs_key(layers: Layers) -> bool:
    """Whether any layer, nested ones included, draws random numbers in training."""
    return any(layer.needs_key for layer in with_nested(layers))


def with_nested(layers: Layers) -> Iterator[Layer]:
    for layer in layers:
        yield layer
        for part in layer.parts().values():
            yield from with_nested(part)


def apply(layers: Layers, params: Tree, state: Tree, x: Any, **mode: Any) -> tuple[Any, Tree]:
    """The output of the last layer, and the state after the batch; arguments as of ``outputs``."""
    after = dict(state)
    for name, z, changed in outputs(layers, params, state, x, **mode):
        x, after[name] = z, changed
    return x, {name: after[name] for name in state}


def outputs(
    layers: Layers, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
) -> Iterator[tuple[str, Any, Tree]]:
    """Yields (name, output, state after the batch) for each layer in turn.

    Arguments are as of ``Layer.apply``, with parameters and state by layer name, for the layers
    that have any. ``key`` is one key per image; each layer that needs keys derives its own.
    """
    from jax import named_scope

    for number, name, layer in numbered(layers):
        variables = params.get(name, {}), state.get(name, {})
        keys = layer_keys(key, number) if needs_key([layer]) else None
        with named_scope(name):
            z, after = layer.apply(*variables, x, training=training, key=keys)
        wider = x.dtype.kind in "fV" and z.dtype.itemsize > x.dtype.itemsize
        x = z.astype(x.dtype) if wider else z  # "fV": not the dtype of tokens
        yield name, x, after


def are_layers(value: object) -> bool:
    """Whether value is a tuple of at least one layer."""
    return isinstance(value, tuple) and value != () and all(isinstance(v, Layer) for v in value)


Chain = tuple[Layer, ...]
NonEmpty = Annotated[Chain, Allowed("a tuple of at least one layer", are_layers)]


class _Branches(Layer):
    """The sum of branches, which are its fields: chains of layers, each applied to the input."""

    def parts(self) -> dict[str, Chain]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def output_shape(self, shape: Shape) -> Shape:
        body, *others = (shapes_through(part, shape)[-1] for part in self.parts().values())
        for shortcut in others:
            message = f"the body's output shape is {body}, the shortcut's {shortcut}"
            require_input(self, body == shortcut, message)
        return body

    def params(self, shape: Shape) -> Tree:
        return _without_empty({n: params_of(part, shape) for n, part in self.parts().items()})

    def state(self, shape: Shape) -> Tree:
        return _without_empty({n: state_of(part, shape) for n, part in self.parts().items()})

    def apply(self, params: Tree, state: Tree, x: Any, **mode: Any) -> tuple[Any, Tree]:
        from ffnn_jax.layers import add

        outputs, after = [], {}
        for number, (name, part) in enumerate(self.parts().items()):
            own = mode | {"key": layer_keys(mode.get("key"), number)}
            z, after[name] = apply(part, params.get(name, {}), state.get(name, {}), x, **own)
            outputs.append(z)
        return functools.reduce(add, reversed(outputs)), {name: after[name] for name in state}


@dataclasses.dataclass(frozen=True)
class Sequential(_Branches):
    """A chain of layers as one layer."""

    layers: NonEmpty


@dataclasses.dataclass(frozen=True)
class Residual(_Branches):
    """The sum of ``body`` and the ``shortcut`` around it, the identity if (); equation (add.1)."""

    body: NonEmpty
    shortcut: Annotated[
        Chain, Allowed("a tuple of layers", lambda v: v == () or are_layers(v))
    ] = ()
