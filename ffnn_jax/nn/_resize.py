"""Layers that change the size of images: pooling, upsampling and padding."""

import dataclasses
from typing import Annotated, Any, Literal

from ffnn_jax._base_config import Allowed, Count, CountOrNone, Finite, Flag, is_count, require
from ffnn_jax.nn._layer import Operation, image_shape, require_input
from ffnn_jax.nn._param import Shape

__all__ = ["AdaptiveAvgPool", "AvgPool", "GlobalAvgPool", "MaxPool", "Pad", "Upsample"]


@dataclasses.dataclass(frozen=True)
class _Pool(Operation):
    """Pooling over windows of ``window`` by ``window`` pixels, side by side unless ``stride``."""

    window: Count = 2
    stride: CountOrNone = None
    padding: int | Literal["SAME", "VALID"] = "VALID"

    def __post_init__(self) -> None:
        super().__post_init__()
        narrow = is_count(self.padding, 0) and int(self.padding) < self.window
        holds = self.padding in ("SAME", "VALID") or narrow
        require(self, "padding", holds, '"SAME", "VALID" or at least 0 and below the window')

    def output_shape(self, shape: Shape) -> Shape:
        *extent, channels = image_shape(self, shape)
        stride = self.stride or self.window
        if self.padding == "SAME":
            return (*(-(-length // stride) for length in extent), channels)
        around = 2 * self.padding if isinstance(self.padding, int) else 0
        height, width = (length + around for length in extent)
        image = "padded image" if around else "image"
        message = f"the window is larger than the {height} x {width} {image}"
        require_input(self, self.window <= min(height, width), message)
        return (*((n - self.window) // stride + 1 for n in (height, width)), channels)


class MaxPool(_Pool, title="Maxpooling", operation="max_pool"):
    """Maximum over windows, equation (pool.1)."""


@dataclasses.dataclass(frozen=True)
class AvgPool(_Pool, title="Average pooling", operation="avg_pool"):
    """Average over windows, equation (avg.1), of padding as zeros or else of pixels alone."""

    count_padding: Flag = True


class GlobalAvgPool(Operation, title="Global average pooling", operation="global_avg_pool"):
    """Average over all pixels, equation (adaptive.1)."""

    def output_shape(self, shape: Shape) -> Shape:
        return image_shape(self, shape)[2:]


def _pair(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _is_size(value: object) -> bool:
    return len(_pair(value)) == 2 and all(map(is_count, _pair(value)))


@dataclasses.dataclass(frozen=True)
class AdaptiveAvgPool(Operation, title="Adaptive average pooling", operation="adaptive_avg_pool"):
    """Average over as many bins as the output has pixels; ``size`` is one number or a pair."""

    size: Annotated[Any, Allowed("an integer of at least 1, or a pair of them", _is_size)]

    def output_shape(self, shape: Shape) -> Shape:
        return (*_pair(self.size), image_shape(self, shape)[2])


@dataclasses.dataclass(frozen=True)
class Upsample(Operation, title="Upsampling", operation="upsample2d"):
    """Enlarges images by ``factor``; the method is "nearest" or "bilinear"."""

    factor: Count = 2
    method: Annotated[
        str, Allowed('"nearest" or "bilinear"', lambda v: v in ("nearest", "bilinear"))
    ] = "nearest"

    def output_shape(self, shape: Shape) -> Shape:
        height, width, channels = image_shape(self, shape)
        return (self.factor * height, self.factor * width, channels)


def _sides(width: Any) -> tuple[Any, ...]:
    """((top, bottom), (left, right))."""
    return width if isinstance(width, tuple) else ((width, width), (width, width))


def _is_width(value: object) -> bool:
    pairs = _sides(value)
    of_two = len(pairs) == 2 and all(isinstance(p, tuple) and len(p) == 2 for p in pairs)
    return of_two and all(is_count(n, 0) for pair in pairs for n in pair)


@dataclasses.dataclass(frozen=True)
class Pad(Operation, title="Padding", operation="pad"):
    """A border of ``value``, ``width`` pixels wide or ((top, bottom), (left, right))."""

    width: Annotated[Any, Allowed("at least 0, or ((top, bottom), (left, right))", _is_width)] = 1
    value: Finite = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        (rows, columns), (height, width, channels) = _sides(self.width), image_shape(self, shape)
        return (height + sum(rows), width + sum(columns), channels)
