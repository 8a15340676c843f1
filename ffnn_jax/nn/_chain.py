"""Chains of layers: the only place where layers are numbered, named, given keys and applied."""

from collections.abc import Iterator, Sequence
from typing import Any

from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Shape, Tree

__all__ = [
    "apply", "image_keys", "mixes_batch", "needs_key", "numbered", "outputs", "params_of",
    "shapes_through", "state_of",
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
    trees = {name: getattr(layer, method)(each) for (_, name, layer), each in inputs}
    return without_empty(trees)


def without_empty(trees: Tree) -> Tree:
    """The trees that have leaves."""
    return {name: tree for name, tree in trees.items() if tree}


def mixes_batch(layers: Layers) -> bool:
    """Whether any layer, nested ones included, makes outputs depend on other images."""
    return any(layer.mixes_batch for layer in _with_nested(layers))


def needs_key(layers: Layers) -> bool:
    """Whether any layer, nested ones included, draws random numbers in training."""
    return any(layer.needs_key for layer in _with_nested(layers))


def _with_nested(layers: Layers) -> Iterator[Layer]:
    for layer in layers:
        yield layer
        for part in layer.parts().values():
            yield from _with_nested(part)


def image_keys(key: Any, count: int) -> Any:
    """One key per position in the batch; keys that are already one per image are unchanged."""
    import jax

    if not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    if key.ndim:
        return key
    positions = jax.numpy.arange(count, dtype="uint32")
    return jax.vmap(jax.random.fold_in, (None, 0))(key, positions)


def layer_keys(keys: Any, number: int) -> Any:
    """Each image's key for the layer of this number; None without keys."""
    import jax

    return None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, number)


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
        if x.dtype.kind in "fV" and z.dtype.itemsize > x.dtype.itemsize:  # not from tokens
            z = z.astype(x.dtype)
        x = z
        yield name, x, after
