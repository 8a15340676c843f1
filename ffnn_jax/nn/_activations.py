"""Activations as layers."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import require_number
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Tree


@dataclasses.dataclass(frozen=True)
class ReLU(Layer):
    """Rectified linear unit."""

    title: ClassVar[str] = "ReLU"

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (17)."""
        from ffnn_jax.layers import relu

        return relu(x)


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Layer):
    """Leaky rectified linear unit, with derivative ``slope`` where the input is not positive."""

    title: ClassVar[str] = "Leaky ReLU"
    slope: float = 0.01

    def __post_init__(self) -> None:
        """Rejects a slope outside [0, 1)."""
        require_number(self, "slope", 0, 1)

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (leaky.1)."""
        from ffnn_jax.layers import leaky_relu

        return leaky_relu(x, self.slope)


@dataclasses.dataclass(frozen=True)
class Sigmoid(Layer):
    """Logistic sigmoid."""

    title: ClassVar[str] = "Sigmoid"

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (sigmoid.1)."""
        from ffnn_jax.layers import sigmoid

        return sigmoid(x)
