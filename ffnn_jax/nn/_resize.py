"""Upsampling, padding and scaling as layers."""

import dataclasses
import math
from typing import Any, ClassVar

from ffnn_jax._base_config import is_integer, is_number, require, require_positive_integers
from ffnn_jax.nn._layer import Layer, image_shape
from ffnn_jax.nn._operation import Operation
from ffnn_jax.nn._param import Constant, Param, Shape, Tree

__all__ = ["Pad", "Scale", "Upsample"]


@dataclasses.dataclass(frozen=True)
class Upsample(Operation):
    """Enlarges images by ``factor``; the method is "nearest" or "bilinear"."""

    title: ClassVar[str] = "Upsampling"
    operation: ClassVar[str] = "upsample2d"
    factor: int = 2
    method: str = "nearest"

    def __post_init__(self) -> None:
        """Rejects invalid settings."""
        require_positive_integers(self, "factor")
        require(self, "method", self.method in ("nearest", "bilinear"), '"nearest" or "bilinear"')

    def output_shape(self, shape: Shape) -> Shape:
        """Height and width times the factor."""
        height, width, channels = image_shape(self, shape)
        return (self.factor * height, self.factor * width, channels)


@dataclasses.dataclass(frozen=True)
class Pad(Operation):
    """A border of ``value``, ``width`` pixels wide or ((top, bottom), (left, right))."""

    title: ClassVar[str] = "Padding"
    operation: ClassVar[str] = "pad"
    width: Any = 1
    value: float = 0.0

    def __post_init__(self) -> None:
        """Rejects invalid settings."""
        widths = self._sides() if isinstance(self.width, int | tuple) else None
        pairs = isinstance(widths, tuple) and [len(p) for p in widths if isinstance(p, tuple)]
        holds = pairs == [2, 2] and all(is_integer(n) and n >= 0 for p in widths or () for n in p)
        require(self, "width", holds, "at least 0, or ((top, bottom), (left, right))")
        finite = is_number(self.value) and math.isfinite(self.value)
        require(self, "value", finite, "a finite number")

    def output_shape(self, shape: Shape) -> Shape:
        """Height and width with the border."""
        (rows, columns), (height, width, channels) = self._sides(), image_shape(self, shape)
        return (height + sum(rows), width + sum(columns), channels)

    def _sides(self) -> Any:
        both = (self.width, self.width)
        return self.width if isinstance(self.width, tuple) else (both, both)


@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    """Multiplies by a learned factor, initialised to ``init``; if ``per_channel``, one for each."""

    title: ClassVar[str] = "Scaling"
    init: float = 1.0
    per_channel: bool = False

    def __post_init__(self) -> None:
        """Rejects invalid settings."""
        finite = is_number(self.init) and math.isfinite(self.init)
        require(self, "init", finite, "a finite number")
        require(self, "per_channel", isinstance(self.per_channel, bool), "True or False")

    def params(self, shape: Shape) -> Tree:
        """The factor, () or (C); weight decay does not apply to it."""
        length = shape[-1:] if self.per_channel else ()
        return {"factor": Param(length, Constant(self.init), decayed=False)}

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (scale.1)."""
        from ffnn_jax.layers import scale

        return scale(x, params["factor"])
