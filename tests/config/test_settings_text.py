"""The settings file that a run leaves says the same settings, whatever they are."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from ffnn_jax.config import (
    PRESETS,
    AlternatingFlip,
    Augmentation,
    Crop,
    Cutout,
    Settings,
    UserError,
    Validation,
    named_settings,
    settings_to_text,
)
from ffnn_jax.nn import Dense, Sequential
from tests.config.test_layer_text import ODD

CHANGED = dataclasses.replace(
    PRESETS["cifar10-96"], preset="mine.2", dataset='a "b" \\ \n\x7f é 😀', train_images=7, size=32,
    layers=(ODD, Sequential((ODD, Dense(3)))), augmentations=(Cutout(3), AlternatingFlip(), Crop()),
    validation=Validation("none"), learning_rate=1e-7, momentum=0.1 + 0.2, seed=5, seeds=2,
    forms=(("forward 9 4-16", "rows"), ("micro-batch", "64")), group_rates=(("a b", 1e9),),
)  # fmt: skip


@pytest.mark.parametrize("settings", [*PRESETS.values(), CHANGED], ids=[*PRESETS, "changed"])
def test_what_is_written_is_read_back_the_same(settings: Settings, tmp_path: Path):
    path = tmp_path / "settings.toml"
    path.write_text(settings_to_text(settings), encoding="utf-8")
    again, given = named_settings(str(path))
    assert repr(again) == repr(settings)
    assert {"dataset", "layers", "validation"} < given


def test_every_setting_is_written_unless_it_is_none():
    keys = set(tomllib.loads(settings_to_text(CHANGED)))
    names = {field.name for field in dataclasses.fields(Settings)}
    assert keys == (names | {"name"}) - {"preset"}
    assert set(tomllib.loads(settings_to_text(PRESETS["mnist"]))) == keys - {
        "forms",
        "size",
        "train_images",
    }


def test_what_is_not_unicode_does_not_stop_a_run():
    text = settings_to_text(dataclasses.replace(CHANGED, dataset="\udcff"))
    assert tomllib.loads(text)["dataset"] == "?"


def test_an_augmentation_of_ones_own_is_named_and_cannot_be_read(tmp_path: Path):
    @dataclasses.dataclass(frozen=True)
    class Noise(Augmentation):
        level: float = 0.1

    settings = dataclasses.replace(PRESETS["mnist"], augmentations=(Noise(0.2),))
    (tmp_path / "own.toml").write_text(settings_to_text(settings))
    with pytest.raises(UserError, match=r"unknown augmentation 'Noise\(level=0.2\)'"):
        named_settings(str(tmp_path / "own.toml"))
