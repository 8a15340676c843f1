"""Normalisations as layers."""

import dataclasses
import math
from typing import ClassVar

from ffnn_jax._base_config import require, require_number, require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._operation import Operation
from ffnn_jax.nn._param import Constant, Param, Shape, Tree

__all__ = ["GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


class Normalisation(Layer):
    """Normalises, then applies a scale and a shift of each channel; neither is decayed.

    Its field ``eps``, above 0, is added to the variance under the square root.
    """

    arrays: ClassVar[tuple[str, ...]] = ("scale", "shift")
    eps: float

    def __post_init__(self) -> None:
        """Rejects an eps that is not above 0."""
        require_number(self, "eps", 0, math.inf)
        require(self, "eps", self.eps > 0, "above 0")

    def params(self, shape: Shape) -> Tree:
        """Scale (C), initialised to 1, and shift (C), initialised to 0."""
        starts = {"scale": Constant(1.0), "shift": Constant(0.0)}
        return {name: Param(shape[-1:], starts[name], decayed=False) for name in self.arrays}


@dataclasses.dataclass(frozen=True)
class LayerNorm(Normalisation, Operation):
    """Normalises each position over its channels (last axis)."""

    title: ClassVar[str] = "Layer normalisation"
    operation: ClassVar[str] = "layer_norm"
    eps: float = 1e-5


@dataclasses.dataclass(frozen=True)
class GroupNorm(Normalisation, Operation):
    """Normalises each image over its pixels and ``groups`` groups of neighbouring channels."""

    title: ClassVar[str] = "Group normalisation"
    operation: ClassVar[str] = "group_norm"
    groups: int = 32
    eps: float = 1e-5

    def __post_init__(self) -> None:
        """Rejects values out of range."""
        super().__post_init__()
        require_positive_integers(self, "groups")

    def output_shape(self, shape: Shape) -> Shape:
        """The input's shape, whose channels the groups must divide."""
        if not shape or shape[-1] % self.groups:
            raise UserError(f"{self}: groups must divide the number of channels")
        return shape


@dataclasses.dataclass(frozen=True)
class InstanceNorm(Normalisation, Operation):
    """Normalises each channel of each image over its pixels."""

    title: ClassVar[str] = "Instance normalisation"
    operation: ClassVar[str] = "instance_norm"
    eps: float = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        """The input's shape, which must have an axis of pixels."""
        if len(shape) < 2:
            raise UserError(f"{self}: needs pixels to normalise over (..., channels)")
        return shape


@dataclasses.dataclass(frozen=True)
class RMSNorm(Normalisation, Operation):
    """Divides each position by the root mean square of its channels; without a shift."""

    title: ClassVar[str] = "RMS normalisation"
    operation: ClassVar[str] = "rms_norm"
    arrays: ClassVar[tuple[str, ...]] = ("scale",)
    eps: float = 1e-5
