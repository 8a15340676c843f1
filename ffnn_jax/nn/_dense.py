"""The dense layer."""

import dataclasses
import math
from typing import Any, ClassVar

from ffnn_jax._base_config import require, require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._param import Shape, Tree
from ffnn_jax.nn._weighted import Weighted

__all__ = ["Dense"]


@dataclasses.dataclass(frozen=True)
class Dense(Weighted):
    """Fully connected layer with ``units`` outputs.

    It flattens its input, unless ``flatten`` is False: then it projects only the last axis, for
    example every token of (T, D).
    """

    title: ClassVar[str] = "Fully connected"
    units: int
    flatten: bool = dataclasses.field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        """Rejects invalid units and flatten."""
        super().__post_init__()
        require_positive_integers(self, "units")
        require(self, "flatten", isinstance(self.flatten, bool), "True or False")

    def output_shape(self, shape: Shape) -> Shape:
        """(units,), or (..., units) where only the last axis is projected."""
        if not self.flatten and not shape:
            raise UserError(f"{self}: needs an input with an axis to project")
        return (self.units,) if self.flatten else (*shape[:-1], self.units)

    def params(self, shape: Shape) -> Tree:
        """Weights w (inputs, units) and biases b (units)."""
        return self.weights((math.prod(shape) if self.flatten else shape[-1], self.units))

    def multiply_adds(self, shape: Shape) -> int:
        """One per weight and position."""
        return math.prod(shape) * self.units

    def __call__(self, params: Tree, x: Any) -> Any:
        """Equation (12), for every image or every position in it."""
        from ffnn_jax.layers import dense

        rows = x if self.flatten else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        z = dense(rows, self.weights_of(params), self.bias_of(params))
        return z if self.flatten else z.reshape(*x.shape[:-1], self.units)
