"""Layers as they are described, before there are arrays: shapes, parameters and work."""

import dataclasses
import math
from typing import ClassVar, Literal

from ffnn_jax.config._described import Described, require_whole
from ffnn_jax.config._refusal import Refusal

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Layer(Described):
    """A layer without parameters that keeps the shape it is given."""

    title: ClassVar[str] = "Layer"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one output, given the shape of one input."""
        return shape

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """The shapes of the parameters by name, given the shape of one input."""
        return {}

    def multiply_adds(self, shape: Shape) -> int:
        """Multiplications of forward for one input; dW and dx take as many again, each."""
        return 0


@dataclasses.dataclass(frozen=True)
class _Initialised(Layer):
    """A layer with weights drawn as init_scale * normal / sqrt(fan_in / 2); biases start at 0.

    fan_in is the number of inputs that one output sums, unless init_fan_in says otherwise.
    """

    init_scale: float = dataclasses.field(default=1.0, kw_only=True)
    init_fan_in: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Refuses a start that no draw can have."""
        scale = self.init_scale
        number = isinstance(scale, int | float) and not isinstance(scale, bool)
        if not number or not 0 <= scale < math.inf:
            raise Refusal(f"{self}: init_scale must be a finite number of at least 0")
        if self.init_fan_in is not None:
            require_whole(self, "init_fan_in")

    def initial_deviation(self, shape: Shape) -> float:
        """The standard deviation of the weights at the start."""
        fan_in = self.init_fan_in or math.prod(self.parameter_shapes(shape)["w"][:-1])
        return self.init_scale / math.sqrt(fan_in / 2)


@dataclasses.dataclass(frozen=True)
class Conv(_Initialised):
    """Convolution with ``filters`` square kernels of ``size`` by ``size``."""

    title: ClassVar[str] = "Convolutional"
    filters: int
    size: int
    padding: int | Literal["SAME", "VALID"] = "SAME"
    stride: int = 1

    def __post_init__(self) -> None:
        """Refuses sizes that no convolution has."""
        super().__post_init__()
        require_whole(self, "filters", "size", "stride")
        named = self.padding in ("SAME", "VALID")
        if not named and (type(self.padding) is not int or self.padding < 0):
            raise Refusal(f'{self}: padding must be "SAME", "VALID" or at least 0')

    def output_shape(self, shape: Shape) -> Shape:
        """(H_out, W_out, filters)."""
        height, width, _ = _image(self, shape)
        return (self._outputs(height), self._outputs(width), self.filters)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Kernels w (size, size, C, filters) and biases b (filters)."""
        channels = _image(self, shape)[2]
        return {"w": (self.size, self.size, channels, self.filters), "b": (self.filters,)}

    def multiply_adds(self, shape: Shape) -> int:
        """One for each kernel entry at each output."""
        return math.prod(self.output_shape(shape)) * self.size**2 * shape[2]

    def _outputs(self, length: int) -> int:
        if self.padding == "SAME":
            return -(-length // self.stride)
        padded = length + 2 * (self.padding if isinstance(self.padding, int) else 0)
        if self.size > padded:
            raise Refusal(f"{self}: the kernel is larger than the padded image ({padded} pixels)")
        return (padded - self.size) // self.stride + 1


@dataclasses.dataclass(frozen=True)
class ReLU(Layer):
    """Rectified linear unit."""

    title: ClassVar[str] = "ReLU"


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Layer):
    """Leaky rectified linear unit, with derivative ``slope`` where the input is not above 0."""

    title: ClassVar[str] = "Leaky ReLU"
    slope: float = 0.01

    def __post_init__(self) -> None:
        """Refuses a slope outside [0, 1)."""
        number = isinstance(self.slope, int | float) and not isinstance(self.slope, bool)
        if not number or not 0 <= self.slope < 1:
            raise Refusal(f"{self}: slope must be a number of at least 0 and below 1")


@dataclasses.dataclass(frozen=True)
class Sigmoid(Layer):
    """Logistic sigmoid."""

    title: ClassVar[str] = "Sigmoid"


@dataclasses.dataclass(frozen=True)
class MaxPool(Layer):
    """Maximum over ``window`` by ``window`` pixels, side by side."""

    title: ClassVar[str] = "Maxpooling"
    window: int = 2

    def __post_init__(self) -> None:
        """Refuses a window below one pixel."""
        require_whole(self, "window")

    def output_shape(self, shape: Shape) -> Shape:
        """Height and width divided by the window, rounded down."""
        height, width, channels = _image(self, shape)
        if self.window > min(height, width):
            raise Refusal(f"{self}: the window is larger than the {height} x {width} image")
        return (height // self.window, width // self.window, channels)


@dataclasses.dataclass(frozen=True)
class Dense(_Initialised):
    """Fully connected layer with ``units`` outputs; it flattens what it is given."""

    title: ClassVar[str] = "Fully connected"
    units: int

    def __post_init__(self) -> None:
        """Refuses a layer without outputs."""
        super().__post_init__()
        require_whole(self, "units")

    def output_shape(self, shape: Shape) -> Shape:
        """(units,)."""
        return (self.units,)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Weights w (inputs, units) and biases b (units)."""
        return {"w": (math.prod(shape), self.units), "b": (self.units,)}

    def multiply_adds(self, shape: Shape) -> int:
        """One for each weight."""
        return math.prod(shape) * self.units


def shapes_through(layers: tuple[Layer, ...], shape: Shape) -> list[Shape]:
    """The shape that each layer is given, and at the end the shape that comes out.

    Raises:
        Refusal: a layer does not fit the shape it is given; the layer is named by its number,
            counted as in the report's Table 2, where the input is layer 1.
    """
    shapes = [shape]
    for number, layer in enumerate(layers, start=2):
        try:
            shapes.append(layer.output_shape(shapes[-1]))
        except Refusal as refusal:
            raise Refusal(f"layer {number}, {refusal}, input shape {shapes[-1]}") from None
    return shapes


def _image(layer: Layer, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise Refusal(f"{layer}: needs an image (height, width, channels)")
    return shape
