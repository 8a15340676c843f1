"""A network: a chain of layers, with parameters and state as pytrees; its contract with layers."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Num

from ffnn_jax import nn
from ffnn_jax._errors import UserError
from ffnn_jax.network import _initialisation
from ffnn_jax.network._initialisation import partition
from ffnn_jax.network._summary import Meter, Summary, summarise
from ffnn_jax.nn import LAYERS, Layer, Param, Shape, Tree

Params = Tree
State = Tree
Images = Num[Array, "N ..."]
_STATE = 1 << 30  # folded into the key for the draws of the state
_BATCH = 2


@dataclasses.dataclass(frozen=True)
class Network:
    """A chain of layers from an input to its logits.

    A custom layer is a frozen dataclass that inherits from ``ffnn_jax.nn.Layer``. Its type must be
    passed to ``ffnn_jax.models.load``.

    Attributes:
        layers: the layers, in the order in which they are applied.
        input_shape: shape of one input: (height, width, channels) for an image, (T,) for T tokens.

    Raises:
        UserError: these are not layers and integers, or a layer does not accept its input shape.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Takes lists for tuples; rejects layers that do not fit the input or one another."""
        for field, kind, items in (("layers", Layer, "layers"), ("input_shape", int, "integers")):
            value = getattr(self, field)
            if not isinstance(value, list | tuple) or not all(isinstance(v, kind) for v in value):
                raise UserError(f"Network: {field} must be a tuple of {items}, got {value!r}")
            object.__setattr__(self, field, tuple(value))
        nn.shapes_through(self.layers, self.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one input's output, (K,) for K classes."""
        return nn.shapes_through(self.layers, self.input_shape)[-1]

    @property
    def allows_micro_batches(self) -> bool:
        """Whether a batch may be split into micro-batches: no layer mixes images or has state."""
        return not nn.mixes_batch(self.layers) and not self.state_specs

    @property
    def needs_key(self) -> bool:
        """Whether any layer draws random numbers in training."""
        return nn.needs_key(self.layers)

    @functools.cached_property
    def param_specs(self) -> Tree:
        """The ``Param`` of each parameter, by layer and name."""
        return nn.params_of(self.layers, self.input_shape)

    @functools.cached_property
    def state_specs(self) -> Tree:
        """The ``Param`` of each array of the state, by layer and name."""
        return nn.state_of(self.layers, self.input_shape)

    @property
    def all_params(self) -> list[Param]:
        """The ``Param`` of each parameter, in the order in which the data flows."""
        return [param for _, param in _initialisation.leaves(self.param_specs)]

    def param_attribute(self, name: str) -> Tree:
        """One attribute of each parameter's ``Param``: "trained", "decayed" or "group"."""
        return _initialisation.map_specs(lambda param: getattr(param, name), self.param_specs)

    def trained_param_attribute(self, name: str) -> Tree:
        """The same for trained parameters; None for the others."""
        return partition(self.param_attribute(name), self.param_attribute("trained"))[0]

    def needs_images(self) -> int:
        """How many training images ``init`` needs; 0 if nothing is computed from them."""
        inits = [param.init for param in self.all_params]
        inits += [param.init for _, param in _initialisation.leaves(self.state_specs)]
        counts = [i.images for i in inits if isinstance(i, nn.FromImages | nn.PatchWhitening)]
        return max(counts, default=0)

    def shapes(self) -> tuple[Params, State]:
        """Shapes and dtypes of what ``init`` returns."""
        return _initialisation.shapes(self.param_specs), _initialisation.shapes(self.state_specs)

    def init(
        self, key: Key[Array, ""], images: Float[Array, "N H W C"] | None = None
    ) -> tuple[Params, State]:
        """Initial parameters and state, in float32.

        Args:
            key: random key that determines every draw.
            images: normalised training images; only ``FromImages`` needs them.

        Returns:
            Parameters ``{"conv_1": {"w": ..., "b": ...}, ...}``, one entry per layer with
            parameters, named by kind and number as in ``summary``, and state in the same form.
        """
        return _init(self, key, images)

    def apply(
        self, params: Params, state: State, x: Images, *, training: bool = False,
        key: Key[Array, "*N"] | None = None,
    ) -> tuple[Float[Array, "N K"], State]:  # fmt: skip
        """The logits of a batch, and the state after it.

        Args:
            params: parameters, as returned by ``init``.
            state: state, as returned by ``init``; ``{}`` if no layer has any.
            x: the inputs: normalised images, or tokens.
            training: True in training (batch statistics, dropout), False in prediction.
            key: in training, one key for the batch or one per image; random layers need it.

        Raises:
            ValueError: inputs or parameters do not fit the network, or a key is missing.
        """
        return nn.apply(self.layers, params, state, x, training=training, key=_keys(key, x))

    def outputs(
        self, params: Params, state: State, x: Images, *, training: bool = False,
        key: Key[Array, "*N"] | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """The output of each layer for a batch, with the arguments of ``apply``.

        Returns:
            ``{"conv_1": ..., "relu_2": ...}``, in order, named as in ``summary``.
        """
        mode = {"training": training, "key": _keys(key, x)}
        return {name: z for name, z, _ in nn.outputs(self.layers, params, state, x, **mode)}

    @property
    def layer_names(self) -> list[str]:
        """The name of each layer, such as "conv_1": its kind, and its number as in ``summary``."""
        return [name for _, name, _ in nn.numbered(self.layers)]

    def first(self, kind: type[Layer]) -> str | None:
        """The name of the first layer of this kind; None if there is none."""
        named = zip(self.layer_names, self.layers, strict=True)
        return next((name for name, layer in named if type(layer) is kind), None)

    def summary(self, meter: Meter | None = None) -> Summary:
        """The report's Table 2, generated from the parameters; with a meter, also each cost."""
        return summarise(self.layers, self.param_specs, self.input_shape, meter)


def _keys(key: Key[Array, "*N"] | None, x: Images) -> Key[Array, " N"] | None:
    return None if key is None else nn.image_keys(key, len(x))


@functools.partial(jax.jit, static_argnums=0)
def _init(
    network: Network, key: Key[Array, ""], images: Float[Array, "N H W C"] | None
) -> tuple[Params, State]:
    params = _initialisation.initialise(network.param_specs, key, images)
    state_key = jax.random.fold_in(key, _STATE)
    return params, _initialisation.initialise(network.state_specs, state_key, images)


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
    shapes = nn.shapes_through(layers, shape)
    for number, (layer, input_shape) in enumerate(zip(layers, shapes, strict=False), start=1):
        for part in layer.parts().values():
            yield from _custom_layers(part, input_shape, f"{prefix}{number}.")
        if type(layer) not in LAYERS.values():
            yield f"{prefix}{number}", layer, input_shape


def _validate_layer(layer: Layer, shape: Shape, training: bool) -> None:
    params, state = map(_initialisation.shapes, (layer.params(shape), layer.state(shape)))
    x = jax.ShapeDtypeStruct((_BATCH, *shape), jnp.float32)

    def apply(params: Any, state: Any, x: jax.Array) -> Any:
        key = nn.image_keys(jax.random.key(0), _BATCH) if layer.needs_key else None
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
