"""Parsing of augmentations."""

import dataclasses

import pytest

from ffnn_jax.cli._main import _parse
from ffnn_jax.cli._train import Train
from ffnn_jax.config import (
    PRESETS,
    AlternatingFlip,
    Augmentation,
    Crop,
    Cutout,
    Flip,
    UserError,
    parse_augment,
)

KNOWN = "known: flip, alternating-flip, crop, cutout"


@pytest.mark.parametrize(
    ("words", "augmentations"),
    [
        ("", ()),
        ("flip", (Flip(),)),
        ("alternating-flip crop", (AlternatingFlip(), Crop())),
        ("crop", (Crop(),)),
        ("crop:2 cutout flip cutout:3", (Crop(2), Cutout(), Flip(), Cutout(3))),
    ],
)
def test_augmentations_are_parsed_in_order(words: str, augmentations: tuple[Augmentation, ...]):
    assert parse_augment(words.split()) == augmentations


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("flp", f"augment: unknown augmentation 'flp' ({KNOWN}); "
         "did you mean flip?"),
        ("cut-out:3", f"augment: unknown augmentation 'cut-out' ({KNOWN}); "
         "did you mean cutout?"),
        ("", f"augment: unknown augmentation '' ({KNOWN})"),
        ("alternating-flip:2",
         "augment: alternating-flip takes no number, got 'alternating-flip:2'"),
        ("flip:1", "augment: flip takes no number, got 'flip:1'"),
        ("crop:", "augment: crop takes an integer, got 'crop:'"),
        ("crop:1.5", "augment: crop takes an integer, got 'crop:1.5'"),
        ("cutout:0", "Cutout(size=0): size must be an integer of at least 1"),
    ],
)  # fmt: skip
def test_an_invalid_augmentation_is_rejected(word: str, message: str):
    with pytest.raises(UserError) as caught:
        parse_augment(["flip", word])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("words", "augmentations"),
    [
        ([], (Crop(),)),
        (["--augment"], ()),
        (["--augment", "--steps", "7"], ()),
        (["--augment", "cutout:3", "flip"], (Cutout(3), Flip())),
    ],
)
def test_augmentations_are_the_preset_s_unless_overridden(
    words: list[str], augmentations: tuple[Augmentation, ...], monkeypatch: pytest.MonkeyPatch
):
    augmented = dataclasses.replace(PRESETS["quickstart"], augmentations=(Crop(),))
    monkeypatch.setitem(PRESETS, "quickstart", augmented)
    command = _parse(["train", "quickstart", *words])
    assert isinstance(command, Train)
    assert command.named_settings().settings.augmentations == augmentations
