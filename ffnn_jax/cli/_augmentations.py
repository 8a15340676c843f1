"""Augmentations in words: ``flip``, ``crop``, ``crop:4``."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from ffnn_jax.config import AUGMENTATIONS, Augmentation, UserError, suggestion

_BY_WORD: dict[str, Any] = {name.lower(): kind for name, kind in AUGMENTATIONS.items()}


def augmentations_of(words: Iterable[str]) -> tuple[Augmentation, ...]:
    """The augmentations that the words describe, in their order.

    Raises:
        UserError: a word is unknown, or its number is none that it can have.
    """
    return tuple(_augmentation(word) for word in words)


def _augmentation(word: str) -> Augmentation:
    name, colon, number = word.partition(":")
    if name not in _BY_WORD:
        known = ", ".join(_BY_WORD)
        near = suggestion(name, _BY_WORD)
        raise UserError(f"augment: unknown word {name!r} (known: {known}){near}")
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
