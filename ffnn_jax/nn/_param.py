"""What an array of a layer is before there is one: its shape, its start, and its treatment."""

import dataclasses
from collections.abc import Callable
from typing import Any

from ffnn_jax._described import is_whole
from ffnn_jax._errors import Refusal

Shape = tuple[int, ...]
Tree = dict[str, Any]
"""Nested dictionaries by name; the leaves are ``Param``, or the arrays that they describe."""


@dataclasses.dataclass(frozen=True)
class Normal:
    """A draw from the normal distribution of this deviation and mean."""

    deviation: float
    mean: float = 0.0


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same number everywhere."""

    value: float = 0.0


@dataclasses.dataclass(frozen=True)
class Dirac:
    """A kernel (KH, KW, C_in, C_out) whose first outputs are the inputs, unchanged.

    Its entry (KH // 2, KW // 2, c, c) is 1 and the others of output c are 0, for c below C_in and
    C_out. Outputs beyond C_in are drawn from the normal distribution of this deviation.
    """

    deviation: float = 0.0


@dataclasses.dataclass(frozen=True)
class FromImages:
    """Computed from training images: the first so many, normalised, as the network is given them.

    Attributes:
        compute: gives the array for images (N, H, W, C).
        images: how many it is given, if there are as many.
    """

    compute: Callable[[Any], Any]
    images: int = 5000


Start = Normal | Constant | Dirac | FromImages | Callable[[Any, Shape], Any]
"""How an array starts; a function of one's own is given a key and the shape."""


@dataclasses.dataclass(frozen=True)
class Param:
    """An array of a layer: a parameter, or a part of its state.

    Attributes:
        shape: of the array.
        start: how it starts.
        trained: whether it is differentiated and updated. What is not stays as it started.
        decayed: whether weight decay acts on it.
        group: names the parameters that share a factor on the learning rate
            (``Settings.group_rates``).
    """

    shape: Shape
    start: Start = Constant(0.0)
    trained: bool = True
    decayed: bool = True
    group: str = ""

    def __post_init__(self) -> None:
        """Rejects fields of another type."""
        shape = isinstance(self.shape, tuple) and all(map(is_whole, self.shape))
        words = isinstance(self.trained, bool) and isinstance(self.decayed, bool)
        starts = callable(self.start) or isinstance(
            self.start, Normal | Constant | Dirac | FromImages
        )
        if not (shape and words and starts and isinstance(self.group, str)):
            raise Refusal(
                f"{self}: shape must be a tuple of whole numbers, start a start, "
                "trained and decayed True or False, group text"
            )
