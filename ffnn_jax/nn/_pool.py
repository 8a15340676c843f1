"""Max pooling as a layer."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import Layer, image_shape
from ffnn_jax.nn._param import Shape, Tree


@dataclasses.dataclass(frozen=True)
class MaxPool(Layer):
    """Maximum over non-overlapping windows of ``window`` by ``window`` pixels."""

    title: ClassVar[str] = "Maxpooling"
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

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (pool.1)."""
        from ffnn_jax.layers import max_pool

        return max_pool(x, self.window)
