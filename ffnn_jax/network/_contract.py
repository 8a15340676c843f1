"""Whether layers of one's own do what they say: their outputs, their state, and what they give."""

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
    """Rejects a layer of one's own whose output or state is not what it says.

    The layer is traced, and nothing is computed. What it raises is raised with a note that names
    it.

    Raises:
        UserError: the layer is named by its number.
    """
    for number, layer, shape in _own(network.layers, network.input_shape):
        try:
            for training in (False, True):
                _require_kept(layer, shape, training)
        except UserError as error:
            raise UserError(f"layer {number}, {error}") from None
        except Exception as error:
            error.add_note(f"layer {number}, {layer}, for inputs {shape}")
            raise


def _own(
    layers: Sequence[Layer], shape: Shape, above: str = ""
) -> Iterator[tuple[str, Layer, Shape]]:
    """(number, layer, input shape) of each layer that is not the package's, inner ones too."""
    shapes = shapes_through(layers, shape)
    for number, (layer, given) in enumerate(zip(layers, shapes, strict=False), start=1):
        for part in layer.parts().values():
            yield from _own(part, given, f"{above}{number}.")
        if type(layer) not in LAYERS.values():
            yield f"{above}{number}", layer, given


def _require_kept(layer: Layer, shape: Shape, training: bool) -> None:
    params, state = shapes(layer.params(shape)), shapes(layer.state(shape))
    x = jax.ShapeDtypeStruct((_BATCH, *shape), jnp.float32)

    def applied(params: Any, state: Any, x: jax.Array) -> Any:
        key = image_keys(jax.random.key(0), _BATCH) if layer.needs_key else None
        return layer.apply(params, state, x, training=training, key=key)

    given = jax.eval_shape(applied, params, state, x)
    if not isinstance(given, tuple) or len(given) != 2:
        raise UserError(f"{layer}: apply must give (output, state), got {type(given).__name__}")
    z, after = given
    expected = (_BATCH, *layer.output_shape(shape))
    if z.shape != expected:
        raise UserError(f"{layer}: output_shape says {expected[1:]}, apply gives {z.shape[1:]}")
    if _said(after) != _said(state):
        raise UserError(f"{layer}: state says {_said(state)}, apply gives {_said(after)}")


def _said(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", tree)
