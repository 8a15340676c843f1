"""Parses augmentations such as ``flip``, ``crop`` and ``crop:4``."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.config._augmentations import AUGMENTATIONS, Augmentation

_BY_NAME: dict[str, Any] = {name.lower(): kind for name, kind in AUGMENTATIONS.items()}


def parse_augment(words: Iterable[str]) -> tuple[Augmentation, ...]:
    """Parses augmentations, keeping their order.

    Raises:
        UserError: an augmentation is unknown, or its number is invalid.
    """
    return tuple(_augmentation(word) for word in words)


def _augmentation(word: str) -> Augmentation:
    name, colon, number = word.partition(":")
    if name not in _BY_NAME:
        known = ", ".join(_BY_NAME)
        hint = suggestion(name, _BY_NAME)
        raise UserError(f"augment: unknown augmentation {name!r} (known: {known}){hint}")
    kind = _BY_NAME[name]
    if not colon:
        return kind()
    if not dataclasses.fields(kind):
        raise UserError(f"augment: {name} takes no number, got {word!r}")
    try:
        value = int(number)
    except ValueError:
        raise UserError(f"augment: {name} takes an integer, got {word!r}") from None
    return kind(value)
