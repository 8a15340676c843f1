"""A network: its layers one after another, with parameters as a pytree."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ffnn_jax.config import Conv, Dense, Layer, LeakyReLU, MaxPool, ReLU, Sigmoid, shapes_through
from ffnn_jax.layers import conv2d, dense, leaky_relu, max_pool, relu, sigmoid
from ffnn_jax.network._summary import Summary, summarise

Params = dict[str, dict[str, Array]]


@dataclasses.dataclass(frozen=True)
class Network:
    """Layers between an image and its logits.

    A layer of your own is a frozen dataclass that inherits from ``Layer`` and has a method
    ``apply(params, x)``. If it has parameters, its method ``init(key, shape)`` draws them, given
    the shape of one input. The types of such layers are given to ``ffnn_jax.models.load``.

    Attributes:
        layers: descriptions, in the order in which the data flows.
        input_shape: (height, width, channels) of one image.

    Raises:
        Refusal: a layer does not fit the shape that it is given.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Refuses layers that do not fit the images or one another."""
        shapes_through(self.layers, self.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one image's output, (K,) for K classes."""
        return shapes_through(self.layers, self.input_shape)[-1]

    @functools.partial(jax.jit, static_argnums=0)
    def init(self, key: Key[Array, ""]) -> Params:
        """Parameters drawn as each layer's description says, in float32.

        One flat normal draw is cut up for all layers, so that one draw is compiled.

        Args:
            key: decides every weight.

        Returns:
            ``{"conv_2": {"w": ..., "b": ...}, ...}``, an entry for each layer with parameters,
            named by kind and by number as in ``summary``.
        """
        shapes = self._parameter_shapes()
        sizes = [math.prod(shape["w"]) for shape in shapes.values()]
        draw = jax.random.normal(key, (sum(sizes),), jnp.float32)
        params, start = self._own_parameters(key), 0
        for (name, shape), size in zip(shapes.items(), sizes, strict=True):
            weights = draw[start : start + size].reshape(shape["w"])
            deviation = self._deviations()[name]
            params[name] = {"w": deviation * weights, "b": jnp.zeros(shape["b"], jnp.float32)}
            start += size
        return params

    def apply(self, params: Params, x: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """The logits of a batch of images.

        Args:
            params: what ``init`` gives.
            x: images, normalised.

        Returns:
            One row of scores for each image.

        Raises:
            ValueError: images or parameters do not fit the network.
        """
        *_, logits = self.outputs(params, x).values()
        return logits

    def outputs(self, params: Params, x: Float[Array, "N H W C"]) -> dict[str, Array]:
        """What each layer gives for a batch of images, in the order in which the data flows.

        Args:
            params: what ``init`` gives.
            x: images, normalised.

        Returns:
            ``{"conv_2": ..., "relu_3": ...}``, named as in ``summary``.

        Raises:
            ValueError: images or parameters do not fit the network.
        """
        given = {}
        for name, layer, _ in self._named():
            with jax.named_scope(name):
                x = given[name] = _apply(layer, params.get(name, {}), x)
        return given

    def summary(self) -> Summary:
        """The report's Table 2 of this network, generated from its parameters."""
        params = jax.eval_shape(self.init, jax.random.key(0))
        return summarise(self._named(), params, self.input_shape)

    def _named(self) -> list[tuple[str, Layer, tuple[int, ...]]]:
        """(name, layer, input shape) of each layer; the input image is layer 1."""
        shapes = shapes_through(self.layers, self.input_shape)
        return [
            (f"{type(layer).__name__.lower()}_{number}", layer, shape)
            for number, (layer, shape) in enumerate(zip(self.layers, shapes, strict=False), start=2)
        ]

    def _own_parameters(self, key: Key[Array, ""]) -> Params:
        """The parameters of the layers that draw them themselves, each with a key of its own."""
        drawn = {}
        for number, (name, layer, shape) in enumerate(self._named(), start=2):
            own = getattr(layer, "init", None)
            if own is not None:
                drawn[name] = own(jax.random.fold_in(key, number), shape)
                _require_arrays(layer, drawn[name])
        return drawn

    def _parameter_shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        return {
            name: layer.parameter_shapes(shape)
            for name, layer, shape in self._named()
            if isinstance(layer, Conv | Dense) and not hasattr(layer, "init")
        }

    def _deviations(self) -> dict[str, float]:
        return {
            name: layer.initial_deviation(shape)
            for name, layer, shape in self._named()
            if isinstance(layer, Conv | Dense)
        }


def _require_arrays(layer: Layer, params: object) -> None:
    """Refuses parameters that could not be trained, counted and saved."""
    by_name = params.items() if isinstance(params, dict) else [(None, params)]
    for name, array in by_name:
        of_numbers = isinstance(array, jax.Array | np.ndarray)
        numbers = of_numbers and jnp.issubdtype(array.dtype, jnp.floating)
        if not isinstance(name, str) or not numbers:
            raise TypeError(f"{layer}: init must give a dict of floating-point arrays by name")


def _apply(layer: Layer, params: dict[str, Array], x: Array) -> Array:
    own = getattr(layer, "apply", None)
    if own is not None:
        return own(params, x)
    match layer:
        case Conv():
            return conv2d(x, params["w"], params["b"], layer.padding, layer.stride)
        case Dense():
            return dense(x, params["w"], params["b"])
        case ReLU():
            return relu(x)
        case LeakyReLU():
            return leaky_relu(x, layer.slope)
        case Sigmoid():
            return sigmoid(x)
        case MaxPool():
            return max_pool(x, layer.window)
    raise TypeError(f"{layer}: no layer of this package, and it has no method apply(params, x)")
