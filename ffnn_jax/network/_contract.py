"""Validates custom layers: outputs and state must match what the layer declares."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ffnn_jax._errors import UserError
from ffnn_jax.network._initialisation import shapes
from ffnn_jax.network._network import Network
from ffnn_jax.nn import LAYERS, Layer, Shape, image_keys, shapes_through

_BATCH = 2


def require_kept_contract(network: Network) -> None:
    """Rejects a custom layer whose output or state differs from what it declares.

    The layer is traced, and nothing is computed. Its own exceptions propagate, with a note that
    names the layer.

    Raises:
        UserError: a layer breaks the contract; the message gives its number.
    """
    for number, layer, shape in _custom_layers(network.layers, network.input_shape):
        try:
            for training in (False, True):
                _validate_layer(layer, shape, training)
        except UserError as error:
            raise UserError(f"layer {number}, {error}") from None
        except Exception as error:
            error.add_note(f"layer {number}, {layer}, for inputs of shape {shape}")
            raise


def _custom_layers(
    layers: Sequence[Layer], shape: Shape, prefix: str = ""
) -> Iterator[tuple[str, Layer, Shape]]:
    """(number, layer, input shape) of each custom layer, nested ones included."""
    shapes = shapes_through(layers, shape)
    for number, (layer, input_shape) in enumerate(zip(layers, shapes, strict=False), start=1):
        for part in layer.parts().values():
            yield from _custom_layers(part, input_shape, f"{prefix}{number}.")
        if type(layer) not in LAYERS.values():
            yield f"{prefix}{number}", layer, input_shape


def _validate_layer(layer: Layer, shape: Shape, training: bool) -> None:
    params, state = shapes(layer.params(shape)), shapes(layer.state(shape))
    x = jax.ShapeDtypeStruct((_BATCH, *shape), jnp.float32)

    def apply(params: Any, state: Any, x: jax.Array) -> Any:
        key = image_keys(jax.random.key(0), _BATCH) if layer.needs_key else None
        return layer.apply(params, state, x, training=training, key=key)

    returned = jax.eval_shape(apply, params, state, x)
    if not isinstance(returned, tuple) or len(returned) != 2:
        kind = type(returned).__name__
        raise UserError(f"{layer}: apply must return (output, state), got {kind}")
    (z, after), expected = returned, layer.output_shape(shape)
    if z.shape != (_BATCH, *expected):
        raise UserError(f"{layer}: output_shape declares {expected}, apply returns {z.shape[1:]}")
    described = functools.partial(jax.tree.map, lambda leaf: f"{leaf.dtype}{list(leaf.shape)}")
    declared, actual = described(state), described(after)
    if actual != declared:
        raise UserError(f"{layer}: state declares {declared}, apply returns {actual}")
