"""Chains of layers: the only place where layers are numbered, named and applied."""

from collections.abc import Iterator, Sequence
from typing import Any

from ffnn_jax._errors import UserError
from ffnn_jax.nn._keys import fold_in
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Shape, Tree

Layers = Sequence[Layer]


def numbered(layers: Layers) -> list[tuple[int, str, Layer]]:
    """(number, name, layer) of each layer, numbered from 1, with names such as "conv_1"."""
    return [
        (number, f"{type(layer).__name__.lower()}_{number}", layer)
        for number, layer in enumerate(layers, start=1)
    ]


def shapes_through(layers: Layers, shape: Shape) -> list[Shape]:
    """The input shape of each layer, followed by the output shape of the last.

    Raises:
        UserError: a layer does not accept its input shape; the message gives its number.
    """
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


def mixes_batch(layers: Layers) -> bool:
    """Whether any layer, nested ones included, makes outputs depend on other images."""
    return any(
        layer.mixes_batch or any(map(mixes_batch, layer.parts().values())) for layer in layers
    )


def needs_key(layers: Layers) -> bool:
    """Whether any layer, nested ones included, draws random numbers in training."""
    return any(layer.needs_key or any(map(needs_key, layer.parts().values())) for layer in layers)


def apply(layers: Layers, params: Tree, state: Tree, x: Any, **mode: Any) -> tuple[Any, Tree]:
    """The output of the last layer, and the state of all layers after the batch.

    Args:
        layers: the layers, in the order in which they are applied.
        params: parameters by layer name, for the layers that have any.
        state: state by layer name, for the layers that have any.
        x: the batch.
        **mode: ``training`` and ``key``, as in ``outputs``.
    """
    after = dict(state)
    for name, z, changed in outputs(layers, params, state, x, **mode):
        x = z
        if name in state:
            after[name] = changed
    return x, after


def outputs(
    layers: Layers, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
) -> Iterator[tuple[str, Any, Tree]]:
    """Yields (name, output, state after the batch) for each layer in turn.

    Args:
        layers: the layers, in the order in which they are applied.
        params: parameters by layer name.
        state: state by layer name.
        x: the batch.
        training: True in training, False in prediction.
        key: one key per image, or None; each layer that needs keys derives its own from them.
    """
    from jax import named_scope

    for number, name, layer in numbered(layers):
        variables = params.get(name, {}), state.get(name, {})
        keys = fold_in(key, number) if needs_key([layer]) else None
        with named_scope(name):
            z, after = layer.apply(*variables, x, training=training, key=keys)
        x = _cast_to_input_dtype(x, z)
        yield name, x, after


def _cast_to_input_dtype(x: Any, z: Any) -> Any:
    """The output, cast to its input's dtype if that is narrower; unchanged for tokens."""
    wider = x.dtype.kind in "fV" and z.dtype.itemsize > x.dtype.itemsize
    return z.astype(x.dtype) if wider else z


def _by_layer_name(method: str, layers: Layers, shape: Shape) -> Tree:
    shapes = shapes_through(layers, shape)
    trees = {
        name: getattr(layer, method)(input_shape)
        for (_, name, layer), input_shape in zip(numbered(layers), shapes, strict=False)
    }
    return {name: tree for name, tree in trees.items() if tree}
