"""Layers one after another: the one place where they are numbered, named and applied."""

from collections.abc import Iterator, Sequence
from typing import Any

from ffnn_jax._errors import UserError
from ffnn_jax.nn._keys import folded
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Shape, Tree

Layers = Sequence[Layer]


def numbered(layers: Layers) -> list[tuple[int, str, Layer]]:
    """(number, name, layer) of each layer, counted from 1; names are as in "conv_1"."""
    return [
        (number, f"{type(layer).__name__.lower()}_{number}", layer)
        for number, layer in enumerate(layers, start=1)
    ]


def shapes_through(layers: Layers, shape: Shape) -> list[Shape]:
    """The shape that each layer is given, and at the end the shape that comes out.

    Raises:
        UserError: a layer does not fit the shape it is given; it is named by its number.
    """
    shapes = [shape]
    for number, layer in enumerate(layers, start=1):
        try:
            shapes.append(layer.output_shape(shapes[-1]))
        except UserError as error:
            raise UserError(f"layer {number}, {error}, input shape {shapes[-1]}") from None
    return shapes


def params_of(layers: Layers, shape: Shape) -> Tree:
    """The parameters of the layers that have some, by the layers' names."""
    return _collected("params", layers, shape)


def state_of(layers: Layers, shape: Shape) -> Tree:
    """The state of the layers that have some, by the layers' names."""
    return _collected("state", layers, shape)


def mixes_batch(layers: Layers) -> bool:
    """Whether any layer's outputs, or those of a layer inside it, depend on the other images."""
    return any(
        layer.mixes_batch or any(map(mixes_batch, layer.parts().values())) for layer in layers
    )


def needs_key(layers: Layers) -> bool:
    """Whether any layer, or a layer inside it, draws in training."""
    return any(layer.needs_key or any(map(needs_key, layer.parts().values())) for layer in layers)


def apply(layers: Layers, params: Tree, state: Tree, x: Any, **mode: Any) -> tuple[Any, Tree]:
    """What comes out of the last layer, and the state of all layers after the batch.

    Args:
        layers: in the order in which the data flows.
        params: parameters by layer name, of the layers that have some.
        state: the same of the states.
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
    layers: Layers,
    params: Tree,
    state: Tree,
    x: Any,
    *,
    training: bool = False,
    key: Any = None,
) -> Iterator[tuple[str, Any, Tree]]:
    """(name, output, state after the batch) of one layer after another.

    Args:
        layers: in the order in which the data flows.
        params: parameters by layer name.
        state: states by layer name.
        x: the batch.
        training: whether the batch is trained on.
        key: a key for each image, or None; each layer that needs one has keys of its own.
    """
    from jax import named_scope

    for number, name, layer in numbered(layers):
        given = params.get(name, {}), state.get(name, {})
        keys = folded(key, number) if needs_key([layer]) else None
        with named_scope(name):
            z, after = layer.apply(*given, x, training=training, key=keys)
        x = _in_the_dtype_of(x, z)
        yield name, x, after


def _in_the_dtype_of(x: Any, z: Any) -> Any:
    """An output no wider than its input; that of tokens stays as it is."""
    wider = x.dtype.kind in "fV" and z.dtype.itemsize > x.dtype.itemsize
    return z.astype(x.dtype) if wider else z


def _collected(what: str, layers: Layers, shape: Shape) -> Tree:
    shapes = shapes_through(layers, shape)
    found = {
        name: getattr(layer, what)(given)
        for (_, name, layer), given in zip(numbered(layers), shapes, strict=False)
    }
    return {name: tree for name, tree in found.items() if tree}
