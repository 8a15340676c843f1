"""Specification of a layer's array: its shape, initialiser and role in training."""

import dataclasses
from collections.abc import Callable
from typing import Any

from ffnn_jax._base_config import is_integer
from ffnn_jax._errors import UserError

__all__ = [
    "Constant", "Dirac", "FromImages", "Initialiser", "Normal", "Param", "PatchWhitening",
    "Shape", "Tree",
]  # fmt: skip

Shape = tuple[int, ...]
Tree = dict[str, Any]
"""Nested dictionaries by name; the leaves are ``Param``, or the arrays that they describe."""


@dataclasses.dataclass(frozen=True)
class Normal:
    """A draw from the normal distribution with this standard deviation and mean."""

    stddev: float
    mean: float = 0.0


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same value everywhere."""

    value: float = 0.0


@dataclasses.dataclass(frozen=True)
class Dirac:
    """A kernel (..., C_in, C_out) whose first outputs are the inputs, unchanged.

    For c below C_in and C_out, its middle entry from c to c is 1 and the other entries of output
    c are 0. Outputs beyond C_in are drawn from the normal distribution with this ``stddev``.
    """

    stddev: float = 0.0


@dataclasses.dataclass(frozen=True)
class FromImages:
    """Computed from the first training images, normalised as the network receives them.

    ``compute`` returns the array, given at most so many ``images`` (N, H, W, C).
    """

    compute: Callable[[Any], Any]
    images: int = 5000


@dataclasses.dataclass(frozen=True)
class PatchWhitening:
    """Kernels (KH, KW, C, 2 KH KW C) that whiten patches of ``images``, equation (whitening.3)."""

    eps: float = 5e-4
    images: int = 5000


Initialiser = Normal | Constant | Dirac | FromImages | PatchWhitening | Callable[[Any, Shape], Any]
"""How an array is initialised; a custom function receives a key and the shape."""


@dataclasses.dataclass(frozen=True)
class Param:
    """An array of a layer: a parameter, or part of its state.

    ``init`` says how it is initialised. It keeps its initial value unless ``trained``, and weight
    decay applies to it if ``decayed``. Parameters of the same ``group`` share a learning-rate
    factor (``Settings.group_rates``).
    """

    shape: Shape
    init: Initialiser = Constant(0.0)
    trained: bool = True
    decayed: bool = True
    group: str = ""

    def __post_init__(self) -> None:
        valid_shape = isinstance(self.shape, tuple) and all(map(is_integer, self.shape))
        valid_flags = isinstance(self.trained, bool) and isinstance(self.decayed, bool)
        named = isinstance(self.init, Normal | Constant | Dirac | FromImages | PatchWhitening)
        valid_init = named or callable(self.init)
        if not (valid_shape and valid_flags and valid_init and isinstance(self.group, str)):
            raise UserError(
                f"{self}: shape must be a tuple of integers, init an initialiser, "
                "trained and decayed True or False, group a string"
            )


def channelwise(shape: Shape, group: str = "", **values: float) -> Tree:
    """Parameters with an entry per channel (last axis), initially these values, not decayed."""
    like = Param(shape[-1:], decayed=False, group=group)
    return {n: dataclasses.replace(like, init=Constant(v)) for n, v in values.items()}
