"""Augmentation configurations: random changes to a training image that keep its label."""

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

from ffnn_jax._base_config import BaseConfig, Count
from ffnn_jax._errors import UserError, suggestion


@dataclasses.dataclass(frozen=True)
class Augmentation(BaseConfig):
    """An augmentation of training images; custom ones define ``__call__``."""

    def __call__(self, key: Any, x: Any, indices: Any, epoch: Any) -> Any:
        """Returns the augmented images of a batch.

        Args:
            key: random key of all draws; a function of (seed, step).
            x: images (N, H, W, C), normalised.
            indices: index of each image among all images (N,).
            epoch: number of complete passes through the training set before this step.
        """
        raise TypeError(f"{self}: an augmentation of your own defines __call__")

    def require_fits(self, shape: tuple[int, int, int]) -> None:
        """Rejects images (height, width, channels) that this augmentation cannot handle."""


@dataclasses.dataclass(frozen=True)
class Flip(Augmentation):
    """Swaps left and right with probability 1/2."""


@dataclasses.dataclass(frozen=True)
class AlternatingFlip(Augmentation):
    """Swaps left and right of half the images in even epochs, and of the other half in odd ones.

    Which half an image is in depends on (seed, index), so two epochs always show both its sides.
    """


@dataclasses.dataclass(frozen=True)
class Crop(Augmentation):
    """A random crop, of the image's own size, of the image padded by reflection."""

    padding: Count = 4

    def require_fits(self, shape: tuple[int, int, int]) -> None:
        """Rejects images with too few pixels to reflect: the border pixel is not repeated."""
        _require_at_most(self, "padding", min(shape[:2]) - 1, shape)


@dataclasses.dataclass(frozen=True)
class Cutout(Augmentation):
    """A square set to 0 (the mean), centred anywhere in the image and clipped at the border.

    The square starts size // 2 pixels before its centre.
    """

    size: Count = 8

    def require_fits(self, shape: tuple[int, int, int]) -> None:
        """Rejects images that a square of this size always hides entirely."""
        _require_at_most(self, "size", 2 * max(shape[:2]) - 2, shape)


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    kind.__name__: kind for kind in (Flip, AlternatingFlip, Crop, Cutout)
}
_BY_WORD: dict[str, Any] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): kind for name, kind in AUGMENTATIONS.items()
}


def parse_augment(words: Iterable[str]) -> tuple[Augmentation, ...]:
    """Parses augmentations such as ``flip``, ``crop`` and ``crop:4``, keeping their order.

    Raises:
        UserError: an augmentation is unknown, or its number is invalid.
    """
    return tuple(_augmentation(word) for word in words)


def word_of(augmentation: Augmentation) -> str:
    """The word that ``parse_augment`` reads, with its number; of a custom one, its Python."""
    words = [word for word, kind in _BY_WORD.items() if kind is type(augmentation)]
    numbers = map(str, vars(augmentation).values())
    return ":".join([*words, *numbers]) if words else str(augmentation)


def _augmentation(word: str) -> Augmentation:
    name, colon, number = word.partition(":")
    if name not in _BY_WORD:
        known = ", ".join(_BY_WORD)
        hint = suggestion(name, _BY_WORD)
        raise UserError(f"augment: unknown augmentation {name!r} (known: {known}){hint}")
    kind = _BY_WORD[name]
    if not colon:
        return kind()
    if not dataclasses.fields(kind):
        raise UserError(f"augment: {name} takes no number, got {word!r}")
    try:
        value = int(number)
    except ValueError:
        raise UserError(f"augment: {name} takes an integer, got {word!r}") from None
    return kind(value)


def _require_at_most(
    augmentation: Augmentation, field: str, most: int, shape: tuple[int, int, int]
) -> None:
    value, (height, width, _) = getattr(augmentation, field), shape
    if value > most:
        allowed = f"at most {most} for {height} x {width} images"
        raise UserError(f"{augmentation}: {field} must be {allowed}, got {value}")
