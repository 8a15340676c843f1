"""Convolution as a layer."""

import dataclasses
import math
from typing import Any, ClassVar, Literal

from ffnn_jax._base_config import is_integer, require, require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import image_shape
from ffnn_jax.nn._param import Shape, Tree
from ffnn_jax.nn._weighted import Weighted

__all__ = ["Conv"]


@dataclasses.dataclass(frozen=True)
class Conv(Weighted):
    """Convolution with ``filters`` square kernels of ``size`` by ``size``."""

    title: ClassVar[str] = "Convolutional"
    filters: int
    size: int
    padding: int | Literal["SAME", "VALID"] = "SAME"
    stride: int = 1

    def __post_init__(self) -> None:
        """Rejects invalid sizes, padding and stride."""
        super().__post_init__()
        require_positive_integers(self, "filters", "size", "stride")
        named = self.padding in ("SAME", "VALID")
        holds = named or (is_integer(self.padding) and int(self.padding) >= 0)
        require(self, "padding", holds, '"SAME", "VALID" or at least 0')

    def output_shape(self, shape: Shape) -> Shape:
        """(H_out, W_out, filters)."""
        height, width, _ = image_shape(self, shape)
        return (self._output_length(height), self._output_length(width), self.filters)

    def params(self, shape: Shape) -> Tree:
        """Kernels w (size, size, C, filters) and biases b (filters)."""
        channels = image_shape(self, shape)[2]
        return self.weights((self.size, self.size, channels, self.filters))

    def multiply_adds(self, shape: Shape) -> int:
        """One per kernel entry and output."""
        return math.prod(self.output_shape(shape)) * self.size**2 * shape[2]

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (conv.1)."""
        from ffnn_jax.layers import conv2d

        return conv2d(x, self.weights_of(params), self.bias_of(params), self.padding, self.stride)

    def _output_length(self, length: int) -> int:
        if self.padding == "SAME":
            return -(-length // self.stride)
        padded = length + 2 * (self.padding if isinstance(self.padding, int) else 0)
        if self.size > padded:
            raise UserError(f"{self}: the kernel is larger than the padded image ({padded} pixels)")
        return (padded - self.size) // self.stride + 1
