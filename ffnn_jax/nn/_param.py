"""An array of a layer before it is made: its shape, initialiser, and role in training."""

import dataclasses
from collections.abc import Callable
from typing import Any

from ffnn_jax._base_config import is_integer
from ffnn_jax._errors import UserError

Shape = tuple[int, ...]
Tree = dict[str, Any]
"""Nested dictionaries by name; the leaves are ``Param``, or the arrays that they describe."""


@dataclasses.dataclass(frozen=True)
class Normal:
    """A draw from the normal distribution of this stddev and mean."""

    stddev: float
    mean: float = 0.0


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same number everywhere."""

    value: float = 0.0


@dataclasses.dataclass(frozen=True)
class Dirac:
    """A kernel (KH, KW, C_in, C_out) whose first outputs are the inputs, unchanged.

    Its entry (KH // 2, KW // 2, c, c) is 1 and the others of output c are 0, for c below C_in and
    C_out. Outputs beyond C_in are drawn from the normal distribution of this stddev.
    """

    stddev: float = 0.0


@dataclasses.dataclass(frozen=True)
class FromImages:
    """Computed from training images: the first so many, normalised, as the network is given them.

    Attributes:
        compute: gives the array for images (N, H, W, C).
        images: how many it is given, if there are as many.
    """

    compute: Callable[[Any], Any]
    images: int = 5000


Initialiser = Normal | Constant | Dirac | FromImages | Callable[[Any, Shape], Any]
"""How an array is initialised; a custom function is given a key and the shape."""


@dataclasses.dataclass(frozen=True)
class Param:
    """An array of a layer: a parameter, or a part of its state.

    Attributes:
        shape: of the array.
        init: how it is initialised.
        trained: whether it is differentiated and updated. An untrained one keeps its value.
        decayed: whether weight decay acts on it.
        group: names the parameters that share a factor on the learning rate
            (``Settings.group_rates``).
    """

    shape: Shape
    init: Initialiser = Constant(0.0)
    trained: bool = True
    decayed: bool = True
    group: str = ""

    def __post_init__(self) -> None:
        """Rejects fields of another type."""
        shape = isinstance(self.shape, tuple) and all(map(is_integer, self.shape))
        words = isinstance(self.trained, bool) and isinstance(self.decayed, bool)
        starts = callable(self.init) or isinstance(
            self.init, Normal | Constant | Dirac | FromImages
        )
        if not (shape and words and starts and isinstance(self.group, str)):
            raise UserError(
                f"{self}: shape must be a tuple of integers, init an initialiser, "
                "trained and decayed True or False, group text"
            )
