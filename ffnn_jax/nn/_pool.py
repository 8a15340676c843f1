"""Max pooling as a layer."""

import dataclasses
from typing import ClassVar

from ffnn_jax._base_config import require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import image_shape
from ffnn_jax.nn._operation import Operation
from ffnn_jax.nn._param import Shape

__all__ = ["MaxPool"]


@dataclasses.dataclass(frozen=True)
class MaxPool(Operation):
    """Maximum over non-overlapping windows of ``window`` by ``window`` pixels."""

    title: ClassVar[str] = "Maxpooling"
    operation: ClassVar[str] = "max_pool"
    window: int = 2

    def __post_init__(self) -> None:
        """Rejects a window that is not a positive integer."""
        require_positive_integers(self, "window")

    def output_shape(self, shape: Shape) -> Shape:
        """Height and width divided by the window, rounded down."""
        height, width, channels = image_shape(self, shape)
        if self.window > min(height, width):
            raise UserError(f"{self}: the window is larger than the {height} x {width} image")
        return (height // self.window, width // self.window, channels)
