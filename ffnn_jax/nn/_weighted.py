"""Weight initialisation and the optional bias, shared by dense layers and convolutions."""

import dataclasses
import math
from typing import Any

from ffnn_jax._base_config import require, require_number, require_positive_integers
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Constant, Normal, Param, Shape, Tree


@dataclasses.dataclass(frozen=True)
class Weighted(Layer):
    """A layer with weights init_scale * normal / sqrt(fan_in / 2) and biases initialised to 0.

    fan_in is the number of inputs that one output sums, unless init_fan_in overrides it. If
    ``standardised``, the weights pass through (weight.4) before use; a normalisation should follow.
    """

    init_scale: float = dataclasses.field(default=1.0, kw_only=True)
    init_fan_in: int | None = dataclasses.field(default=None, kw_only=True)
    bias: bool = dataclasses.field(default=True, kw_only=True)
    standardised: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Validates the initialisation."""
        require_number(self, "init_scale", 0, math.inf)
        if self.init_fan_in is not None:
            require_positive_integers(self, "init_fan_in")
        for name in ("bias", "standardised"):
            require(self, name, isinstance(getattr(self, name), bool), "True or False")

    def weights(self, shape: Shape) -> Tree:
        """Weights of this shape, whose last axis is the outputs, and their biases, if any."""
        fan_in = self.init_fan_in or math.prod(shape[:-1])
        w = Param(shape, Normal(self.init_scale / math.sqrt(fan_in / 2)))
        return {"w": w, "b": Param(shape[-1:], Constant(0.0))} if self.bias else {"w": w}

    def weights_of(self, params: Tree) -> Any:
        """The weights as they are used."""
        from ffnn_jax.layers import weight_standardisation

        return weight_standardisation(params["w"]) if self.standardised else params["w"]

    def bias_of(self, params: Tree) -> Any:
        """The biases, or zeros for a layer without."""
        if self.bias:
            return params["b"]
        import jax.numpy as jnp

        w = params["w"]
        return jnp.zeros(w.shape[-1:], w.dtype)
