"""Augmentation configurations: random changes to a training image that keep its label."""

import dataclasses
from typing import Any

from ffnn_jax._base_config import BaseConfig, require_positive_integers
from ffnn_jax._errors import UserError


@dataclasses.dataclass(frozen=True)
class Augmentation(BaseConfig):
    """An augmentation of training images; one of your own defines ``__call__``."""

    def __call__(self, key: Any, x: Any, indices: Any, epoch: Any) -> Any:
        """The images of a batch, changed.

        Args:
            key: decides every draw; a function of (seed, step).
            x: images (N, H, W, C), normalised.
            indices: of each image among all images (N,).
            epoch: how often the training set was gone through before this step.
        """
        raise TypeError(f"{self}: an augmentation of your own defines __call__")

    def require_fits(self, shape: tuple[int, int, int]) -> None:
        """Rejects images (height, width, channels) that it cannot be used on."""


@dataclasses.dataclass(frozen=True)
class Flip(Augmentation):
    """Left and right change places, with probability 1/2."""


@dataclasses.dataclass(frozen=True)
class Crop(Augmentation):
    """A cut of the image's own size, anywhere in the image padded by its reflection."""

    padding: int = 4

    def __post_init__(self) -> None:
        """Rejects a padding below one pixel."""
        require_positive_integers(self, "padding")

    def require_fits(self, shape: tuple[int, int, int]) -> None:
        """Rejects images that have too few pixels to reflect: the outermost is the mirror."""
        _require_at_most(self, "padding", min(shape[:2]) - 1, shape)


@dataclasses.dataclass(frozen=True)
class Cutout(Augmentation):
    """A square set to 0, the mean, its centre anywhere in the image, cut off at the border.

    The centre has size // 2 pixels of the square before it.
    """

    size: int = 8

    def __post_init__(self) -> None:
        """Rejects a square below one pixel."""
        require_positive_integers(self, "size")

    def require_fits(self, shape: tuple[int, int, int]) -> None:
        """Rejects images that a square of this size always hides whole."""
        _require_at_most(self, "size", 2 * max(shape[:2]) - 2, shape)


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    kind.__name__: kind for kind in (Flip, Crop, Cutout)
}


def _require_at_most(
    augmentation: Augmentation, field: str, most: int, shape: tuple[int, int, int]
) -> None:
    value, (height, width, _) = getattr(augmentation, field), shape
    if value > most:
        allowed = f"at most {most} for {height} x {width} images"
        raise UserError(f"{augmentation}: {field} must be {allowed}, got {value}")
