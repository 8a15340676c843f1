"""Pooling as layers."""

import dataclasses
from typing import ClassVar, Literal

from ffnn_jax._base_config import is_integer, require, require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import image_shape
from ffnn_jax.nn._operation import Operation
from ffnn_jax.nn._param import Shape

__all__ = ["AdaptiveAvgPool", "AvgPool", "GlobalAvgPool", "MaxPool"]


@dataclasses.dataclass(frozen=True)
class Pool(Operation):
    """Pooling over windows of ``window`` by ``window`` pixels, side by side unless ``stride``."""

    window: int = 2
    stride: int | None = None
    padding: int | Literal["SAME", "VALID"] = "VALID"

    def __post_init__(self) -> None:
        """Rejects invalid windows, strides and padding."""
        require_positive_integers(self, "window", *("stride",) * (self.stride is not None))
        few = is_integer(self.padding) and 0 <= int(self.padding) < self.window
        holds = self.padding in ("SAME", "VALID") or few
        require(self, "padding", holds, '"SAME", "VALID" or at least 0 and below the window')

    def output_shape(self, shape: Shape) -> Shape:
        """(H_out, W_out, C)."""
        *extent, channels = image_shape(self, shape)
        stride = self.window if self.stride is None else self.stride
        if self.padding == "SAME":
            return (*(-(-length // stride) for length in extent), channels)
        around = 2 * self.padding if isinstance(self.padding, int) else 0
        height, width = (length + around for length in extent)
        if self.window > min(height, width):
            image = f"{height} x {width} {'padded ' * (around > 0)}image"
            raise UserError(f"{self}: the window is larger than the {image}")
        return (*((n - self.window) // stride + 1 for n in (height, width)), channels)


class MaxPool(Pool):
    """Maximum over windows, equation (pool.1)."""

    title: ClassVar[str] = "Maxpooling"
    operation: ClassVar[str] = "max_pool"


@dataclasses.dataclass(frozen=True)
class AvgPool(Pool):
    """Average over windows, equation (avg.1), of padding as zeros or else of pixels alone."""

    title: ClassVar[str] = "Average pooling"
    operation: ClassVar[str] = "avg_pool"
    count_padding: bool = True

    def __post_init__(self) -> None:
        """Rejects invalid settings."""
        super().__post_init__()
        require(self, "count_padding", isinstance(self.count_padding, bool), "True or False")


class GlobalAvgPool(Operation):
    """Average over all pixels, equation (adaptive.1)."""

    title: ClassVar[str] = "Global average pooling"
    operation: ClassVar[str] = "global_avg_pool"

    def output_shape(self, shape: Shape) -> Shape:
        """(C,)."""
        return image_shape(self, shape)[2:]


@dataclasses.dataclass(frozen=True)
class AdaptiveAvgPool(Operation):
    """Average over as many bins as the output has pixels; ``size`` is one number or a pair."""

    title: ClassVar[str] = "Adaptive average pooling"
    operation: ClassVar[str] = "adaptive_avg_pool"
    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        """Rejects a size that is not one or two positive integers."""
        holds = len(self._both) == 2 and all(is_integer(n) and n >= 1 for n in self._both)
        require(self, "size", holds, "an integer of at least 1, or a pair of them")

    def output_shape(self, shape: Shape) -> Shape:
        """The size, and C."""
        return (*self._both, image_shape(self, shape)[2])

    @property
    def _both(self) -> Shape:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)
