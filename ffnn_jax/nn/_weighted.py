"""Layers with weights: the dense layer and convolutions."""

import dataclasses
import math
from typing import Annotated, Any, ClassVar, Literal

from ffnn_jax._base_config import Allowed, AtLeast0, Count, CountOrNone, Flag, is_count
from ffnn_jax.nn._layer import Operation, image_shape, require_input
from ffnn_jax.nn._param import Dirac, Normal, Param, PatchWhitening, Shape, Tree

__all__ = ["Conv", "Conv1D", "ConvTranspose", "Dense"]

Padding = Annotated[
    int | Literal["SAME", "VALID"],
    Allowed('"SAME", "VALID" or at least 0', lambda v: v in ("SAME", "VALID") or is_count(v, 0)),
]
_STARTS = ("normal", "dirac", "whitening")
Start = Annotated[str, Allowed('"normal", "dirac" or "whitening"', _STARTS.__contains__)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weighted(Operation):
    """A layer with weights init_scale * normal / sqrt(fan_in / 2) and biases initialised to 0.

    fan_in is the number of inputs that one output sums, unless init_fan_in overrides it. If
    ``standardised``, the weights pass through (weight.4) before use; a normalisation should follow.
    """

    init_scale: AtLeast0 = 1.0
    init_fan_in: CountOrNone = None
    bias: Flag = True
    standardised: Flag = False

    def weights(self, shape: Shape) -> Tree:
        """Weights w of this shape, whose last axis is the outputs, and their biases b, if any."""
        fan_in = self.init_fan_in or max(1, math.prod(shape[:-1]))
        w = Param(shape, Normal(self.init_scale / math.sqrt(fan_in / 2)))
        return {"w": w, "b": Param(shape[-1:])} if self.bias else {"w": w}

    def multiply_adds(self, shape: Shape) -> int:
        """One per weight at every position of the output."""
        return math.prod(self.params(shape)["w"].shape) * math.prod(self.output_shape(shape)[:-1])

    def __call__(self, params: Tree, x: Any) -> Any:
        from jax.numpy import zeros

        from ffnn_jax.layers import weight_standardisation

        w = params["w"]
        b = params["b"] if self.bias else zeros(w.shape[-1:], w.dtype)
        used = {"w": weight_standardisation(w) if self.standardised else w, "b": b}
        return super().__call__(used, x)


@dataclasses.dataclass(frozen=True)
class Dense(Weighted, title="Fully connected", operation="dense"):
    """Fully connected layer with ``units`` outputs, equation (12).

    It flattens its input, unless ``flatten`` is False: then it projects only the last axis, for
    example every token of (T, D). Weights are (inputs, units).
    """

    units: Count
    flatten: Flag = dataclasses.field(default=True, kw_only=True)

    def output_shape(self, shape: Shape) -> Shape:
        require_input(self, self.flatten or shape != (), "needs an input with an axis to project")
        return (self.units,) if self.flatten else (*shape[:-1], self.units)

    def params(self, shape: Shape) -> Tree:
        inputs = math.prod(shape) if self.flatten else shape[-1]
        return self.weights((inputs, self.units))

    def __call__(self, params: Tree, x: Any) -> Any:
        rows = x if self.flatten else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return super().__call__(params, rows).reshape(x.shape[0], *self.output_shape(x.shape[1:]))


@dataclasses.dataclass(frozen=True)
class Conv(Weighted, title="Convolutional", operation="conv2d"):
    """Convolution with ``filters`` square kernels of ``size`` by ``size``, equation (conv.1).

    ``dilation`` is the step between the pixels that a kernel covers. With ``groups``, a filter sees
    only its own group of the input's channels; as many groups as channels make it depthwise. The
    weights are kernels (size, size, C / groups, filters). They start at random, as Dirac kernels
    ("dirac": outputs are first the inputs), or as fixed kernels that whiten patches of the training
    images ("whitening"), whose biases are of group "whitening".
    """

    axes: ClassVar[tuple[str, ...]] = ("height", "width")
    filters: Count
    size: Count
    padding: Padding = "SAME"
    stride: Count = 1
    dilation: Count = 1
    groups: Count = 1
    start: Start = "normal"

    def output_shape(self, shape: Shape) -> Shape:
        return (*map(self._length, image_shape(self, shape, self.axes)[:-1]), self.filters)

    def params(self, shape: Shape) -> Tree:
        self.output_shape(shape)
        kernel, channels = (self.size,) * len(self.axes), shape[-1]
        divide = channels % self.groups == self.filters % self.groups == 0
        require_input(self, divide, f"groups must divide the filters and the {channels} channels")
        weights = self.weights((*kernel, channels // self.groups, self.filters))
        w = weights["w"]
        if self.start == "dirac":
            weights["w"] = dataclasses.replace(w, init=Dirac(w.init.stddev))
        if self.start == "whitening":
            filters = 2 * math.prod(w.shape[:-1])
            whitens = self.filters == filters and len(kernel) == 2 and self.groups == 1
            require_input(self, whitens, f"whitening needs {filters} filters, one group")
            weights = {n: dataclasses.replace(p, group="whitening") for n, p in weights.items()}
            weights["w"] = dataclasses.replace(w, init=PatchWhitening(), trained=False)
        return weights

    def _length(self, length: int) -> int:
        if self.padding == "SAME":
            return -(-length // self.stride)
        padded = length + 2 * (self.padding if isinstance(self.padding, int) else 0)
        covered = self.dilation * (self.size - 1) + 1
        dilated = f", dilated to {covered}," * (self.dilation > 1)
        message = f"the kernel{dilated} is larger than the padded image ({padded} pixels)"
        require_input(self, covered <= padded, message)
        return (padded - covered) // self.stride + 1


class Conv1D(Conv, title="Convolutional 1D", operation="conv1d"):
    """Convolution along a sequence (length, channels), with kernels of ``size`` entries."""

    axes = ("length",)


@dataclasses.dataclass(frozen=True)
class ConvTranspose(Weighted, title="Transposed convolutional", operation="conv_transpose2d"):
    """Transposed convolution, equation (transpose.2), by which images grow ``stride`` times."""

    filters: Count
    size: Count
    stride: Count = 1
    padding: Padding = "SAME"

    def output_shape(self, shape: Shape) -> Shape:
        return (*map(self._length, image_shape(self, shape)[:-1]), self.filters)

    def params(self, shape: Shape) -> Tree:
        self.output_shape(shape)
        fan_in = self.init_fan_in or max(1, self.size // self.stride) ** 2 * shape[2]
        layer = dataclasses.replace(self, init_fan_in=fan_in)
        return layer.weights((self.size, self.size, shape[2], self.filters))

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape) * self.size**2 * self.filters

    def _length(self, length: int) -> int:
        if isinstance(self.padding, str):
            beyond = max(self.size - self.stride, 0) * (self.padding == "VALID")
            return length * self.stride + beyond
        left = (length - 1) * self.stride + self.size - 2 * self.padding
        require_input(self, left >= 1, f"the padding leaves nothing of {length} pixels")
        return left
