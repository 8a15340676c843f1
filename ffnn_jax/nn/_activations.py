"""Activations as layers."""

import dataclasses
from typing import ClassVar

from ffnn_jax._base_config import require_number
from ffnn_jax.nn._operation import Operation

__all__ = ["LeakyReLU", "ReLU", "Sigmoid"]


class ReLU(Operation):
    """Rectified linear unit, equation (17)."""

    title: ClassVar[str] = "ReLU"
    operation: ClassVar[str] = "relu"


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Operation):
    """Leaky rectified linear unit, with derivative ``slope`` where the input is not positive."""

    title: ClassVar[str] = "Leaky ReLU"
    operation: ClassVar[str] = "leaky_relu"
    slope: float = 0.01

    def __post_init__(self) -> None:
        """Rejects a slope outside [0, 1)."""
        require_number(self, "slope", 0, 1)


class Sigmoid(Operation):
    """Logistic sigmoid, equation (sigmoid.1)."""

    title: ClassVar[str] = "Sigmoid"
    operation: ClassVar[str] = "sigmoid"
