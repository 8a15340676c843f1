"""Convolutions as layers."""

import dataclasses
import math
from typing import Any, ClassVar, Literal

from ffnn_jax._base_config import is_integer, require, require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._param import Shape, Tree
from ffnn_jax.nn._weighted import Weighted

__all__ = ["Conv", "Conv1D", "ConvTranspose"]


class _Convolution(Weighted):
    """One of the convolutions of ``ffnn_jax.layers``: filters, size, then its static arguments."""

    operation: ClassVar[str] = ""
    axes: ClassVar[tuple[str, ...]] = ("height", "width")

    def __post_init__(self) -> None:
        """Rejects invalid sizes and padding."""
        super().__post_init__()
        for name, value in self._settings().items():
            if name != "padding":
                require_positive_integers(self, name)
            else:
                holds = value in ("SAME", "VALID") or (is_integer(value) and value >= 0)
                require(self, name, holds, '"SAME", "VALID" or at least 0')

    def output_shape(self, shape: Shape) -> Shape:
        """The length of every axis after the convolution, and the filters."""
        if len(shape) != len(self.axes) + 1:
            kind = "an image" if len(self.axes) == 2 else "a sequence"
            raise UserError(f"{self}: needs {kind} ({', '.join(self.axes)}, channels)")
        return (*map(self._length, shape[:-1]), self._settings()["filters"])

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (conv.1), (line.1) or (transpose.2)."""
        from ffnn_jax import layers

        _, _, *static = self._settings().values()
        return getattr(layers, self.operation)(
            x, self.weights_of(params), self.bias_of(params), *static
        )

    def _settings(self) -> dict[str, Any]:
        fields = (field for field in dataclasses.fields(self) if not field.kw_only)
        return {field.name: getattr(self, field.name) for field in fields}

    def _length(self, length: int) -> int:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Conv(_Convolution):
    """Convolution with ``filters`` square kernels of ``size`` by ``size``.

    ``dilation`` is the step between the pixels that a kernel covers. With ``groups``, a filter sees
    only its own group of the input's channels; as many groups as channels make it depthwise.
    """

    title: ClassVar[str] = "Convolutional"
    operation: ClassVar[str] = "conv2d"
    filters: int
    size: int
    padding: int | Literal["SAME", "VALID"] = "SAME"
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    def params(self, shape: Shape) -> Tree:
        """Kernels w (size, size, C / groups, filters) and biases b (filters)."""
        self.output_shape(shape)
        if shape[-1] % self.groups or self.filters % self.groups:
            raise UserError(f"{self}: groups must divide the filters and the {shape[-1]} channels")
        kernel = (self.size,) * len(self.axes)
        return self.weights((*kernel, shape[-1] // self.groups, self.filters))

    def multiply_adds(self, shape: Shape) -> int:
        """One per kernel entry and output."""
        kernel = self.size ** len(self.axes) * shape[-1] // self.groups
        return math.prod(self.output_shape(shape)) * kernel

    def _length(self, length: int) -> int:
        if self.padding == "SAME":
            return -(-length // self.stride)
        padded = length + 2 * (self.padding if isinstance(self.padding, int) else 0)
        covered = self.dilation * (self.size - 1) + 1
        if covered > padded:
            raise UserError(f"{self}: the kernel is larger than the padded image ({padded} pixels)")
        return (padded - covered) // self.stride + 1


class Conv1D(Conv):
    """Convolution along a sequence (length, channels), with kernels of ``size`` entries."""

    title: ClassVar[str] = "Convolutional 1D"
    operation: ClassVar[str] = "conv1d"
    axes: ClassVar[tuple[str, ...]] = ("length",)


@dataclasses.dataclass(frozen=True)
class ConvTranspose(_Convolution):
    """Transposed convolution, by which images grow ``stride`` times in height and width."""

    title: ClassVar[str] = "Transposed convolutional"
    operation: ClassVar[str] = "conv_transpose2d"
    filters: int
    size: int
    stride: int = 1
    padding: int | Literal["SAME", "VALID"] = "SAME"

    def params(self, shape: Shape) -> Tree:
        """Kernels w (size, size, C, filters) and biases b (filters)."""
        self.output_shape(shape)
        fan_in = self.init_fan_in or max(1, self.size // self.stride) ** 2 * shape[2]
        layer = dataclasses.replace(self, init_fan_in=fan_in)
        return layer.weights((self.size, self.size, shape[2], self.filters))

    def multiply_adds(self, shape: Shape) -> int:
        """One per kernel entry and input."""
        return math.prod(shape) * self.size**2 * self.filters

    def _length(self, length: int) -> int:
        if isinstance(self.padding, str):
            return length * self.stride + max(self.size - self.stride, 0) * (
                self.padding == "VALID"
            )
        left = (length - 1) * self.stride + self.size - 2 * self.padding
        if left < 1:
            raise UserError(f"{self}: the padding leaves nothing of {length} pixels")
        return left
