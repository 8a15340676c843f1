"""Settings files: what a preset says can be said in TOML; a mistake is one line with the key."""

import dataclasses
import re
import sys
from pathlib import Path

import pytest

from ffnn_jax.config import PRESETS, Crop, Flip, UserError, Validation, named_settings, preset
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU, Residual
from tests.config.test_own_layers import MODULE


@pytest.fixture
def read(tmp_path: Path):
    """Reads a settings file with this content."""

    def settings_in(text: str, name: str = "my own.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return named_settings(str(tmp_path / name))

    return settings_in


def test_a_preset_goes_by_its_name():
    assert named_settings("cifar10-94") == (preset("cifar10-94"), frozenset())


def test_a_file_starts_from_a_preset_and_names_what_differs(read):
    text = 'preset = "cifar10-94"\nsteps = 7\ndataset = "cifar10"\nvalidation = "last:500"'
    settings, given = read(text)
    expected = dataclasses.replace(
        preset("cifar10-94"), steps=7, validation=Validation("last", 500)
    )
    assert settings == expected
    assert given == {"steps", "validation"}  # the data set is the preset's
    assert "dataset" in read('preset = "mnist"\ndataset = "cifar10"').given


def test_a_file_alone_says_data_network_schedule_and_optimiser(read):
    settings, given = read("""
        dataset = "mnist"
        steps = 10
        train_images = 5000
        augmentations = ["flip", "crop:3"]
        schedule = "piecewise-linear"
        rate_points = [[0, 1], [0.5, 0.25]]
        optimizer = "muon"
        lookahead = 5
        seeds = 3
        layers = [
            "conv 8 3, relu",
            "maxpool 3, dense 10",
        ]
        [group_rates]
        norm = 64
    """)
    assert settings.preset == "my-own"
    assert settings.layers == (Conv(8, 3), ReLU(), MaxPool(3), Dense(10))
    assert settings.augmentations == (Flip(), Crop(3))
    assert settings.rate_points == ((0, 1), (0.5, 0.25))
    assert (settings.optimizer, settings.lookahead, settings.seeds) == ("muon", 5, 3)
    assert settings.group_rates == (("norm", 64),)
    assert (settings.forms, settings.train_images) == (None, 5000)
    assert {"dataset", "layers"} < given


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "muon"])
@pytest.mark.parametrize("schedule", ["constant", "triangular"])
def test_every_optimiser_and_schedule_can_be_chosen(read, optimizer: str, schedule: str):
    text = f'preset = "mnist"\noptimizer = "{optimizer}"\nschedule = "{schedule}"'
    settings = read(text).settings
    assert (settings.optimizer, settings.schedule) == (optimizer, schedule)


def test_layers_are_one_text_or_a_list_of_texts_nested_and_of_ones_own(read, tmp_path, monkeypatch):
    (tmp_path / "own_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "own_of_mine", raising=False)
    text = "own_of_mine:Square 3, residual (conv 3 3, relu) (conv 3 1)", "dense 10"
    one = read(f'preset = "mnist"\nlayers = "{", ".join(text)}"').settings
    several = read(f'preset = "mnist"\nlayers = {list(text)}').settings
    square, *others = one.layers
    assert (type(square).__name__, square.factor) == ("Square", 3)
    assert others == [Residual((Conv(3, 3), ReLU()), (Conv(3, 1),)), Dense(10)]
    assert several.layers == one.layers
    monkeypatch.delitem(sys.modules, "own_of_mine")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("steps = 7", "the key 'dataset' is missing, and no preset to start from"),
        ('dataset = "mnist"', "the key 'layers' is missing, and no preset to start from"),
        ('preset = "minst"', "unknown preset 'minst' (known: quickstart, "),
        ("BASE\nlerning_rate = 1", "unknown key 'lerning_rate'; did you mean learning_rate?"),
        ("BASE\nbatch-size = 1", "unknown key 'batch-size'; did you mean batch_size?"),
        ("BASE\nzzz = 1", "unknown key 'zzz' (known: preset, name, dataset, layers, "),
        ("BASE\nlearning_rate = 'fast'", "learning_rate must be a number, got 'fast'"),
        ("BASE\nlearning_rate = inf", "learning_rate must be from 1.2e-38 to 3.4e+38, got inf"),
        ("BASE\nbatch_size = 0", "batch_size must be from 1 to 2147483647, got 0"),
        ("BASE\nseed = 2020-01-01", "seed must be an integer, got datetime.date(2020, 1, 1)"),
        ("BASE\noptimizer = 'moun'", "optimizer must be one of momentum, nesterov, muon, got 'm"),
        ("BASE\nvalidation = 500", "validation must be one of drawn, last, none, got '500'"),
        ("BASE\nrate_points = [1]", "rate_points must be (share, factor) pairs, in a settings"),
        ("BASE\n[group_steps]\nnorm = -1", "group_steps must be (group, steps) pairs, each group"),
        ("BASE\naugmentations = ['flp']", "augment: unknown augmentation 'flp' (known: flip, "),
        ("BASE\naugmentations = 'flip'", "augmentations must be a list of words such as 'crop:4'"),
        ("BASE\nname = '../x'", "name must be letters, digits, '.', '_' and '-', got '../x'"),
        ("BASE\nlayers = 3", 'layers must be text such as "conv 16 5, relu, dense 10", or a list'),
        ("BASE\nlayers = [{type = 'Conv'}]", "layers must be text such as "),
        ("BASE\nlayers = []", "layers must be a tuple of at least one layer, got ()"),
        ("BASE\nlayers = ['relu', 'cnv 3 3']", "layers[1], character 1: unknown layer 'cnv'; did "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_file_and_the_key(read, text: str, problem: str, tmp_path):
    with pytest.raises(UserError) as raised:
        read(text.replace("BASE", 'preset = "mnist"'))
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / 'my own.toml'}: {problem}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pics", "pics: not a settings file (.toml) or the folder of a run; if it is a data set: "
                 "ffnn-jax train --dataset pics"),
        ("my data.csv", "of a run; if it is a data set: ffnn-jax train --dataset 'my data.csv'"),
        ("runs/abd", "runs/abd: no such file or folder; did you mean abc?"),
        ("none.npz", "none.npz: no such file or folder"),
        ("abc", "abc: no preset, and no folder here; did you mean runs/abc?"),
        ("runs/empty", "runs/empty: not a settings file (.toml) or the folder of a run; "),
        ("minst", "unknown preset 'minst' (known: "),
    ],
)  # fmt: skip
def test_what_names_no_settings_is_said(tmp_path: Path, monkeypatch, name: str, message: str):
    monkeypatch.chdir(tmp_path)
    for folder in ("pics", "runs/abc", "runs/empty"):
        Path(folder).mkdir(parents=True)
    Path("my data.csv").touch()
    Path("runs/empty/.lock").touch()
    with pytest.raises(UserError, match=re.escape(message)):
        named_settings(name)


def test_options_stand_for_what_a_file_lacks(tmp_path: Path):
    path = tmp_path / "my.toml"
    path.write_text('steps = 7\nlayers = "relu, dense 3"')
    settings, given = named_settings(str(path), {"dataset": "mnist", "layers": None, "zzz": 1})
    assert (settings.dataset, settings.steps, settings.layers) == ("mnist", 7, (ReLU(), Dense(3)))
    assert given == {"dataset", "steps", "layers"}
    path.write_text('dataset = "mnist"')
    options = {"layers": "dense 10", "augmentations": ("flip",), "steps": 2}
    settings, given = named_settings(str(path), options)
    assert (settings.layers, settings.augmentations) == ((Dense(10),), (Flip(),))
    assert given == {"dataset", *options}
    with pytest.raises(UserError, match=r"^layers, character 1: unknown layer 'dens'"):
        named_settings(str(path), {"layers": "dens 10"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"steps = ", r"Invalid value \(at end of document\)"),
        (b"steps = 1\nsteps = 2", r"Cannot overwrite a value \(at "),
        (b"name = '\xff'", "'utf-8' codec can't decode byte 0xff in position 8"),
        (b"a = " + b"[" * 100_000, "recursion|nested"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, problem: str, tmp_path: Path):
    path = tmp_path / "my.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}: cannot be read: ") as raised:
        named_settings(str(path))
    assert re.search(problem, str(raised.value))


def test_every_preset_can_be_started_from(read):
    for name, settings in PRESETS.items():
        assert read(f'preset = "{name}"') == (settings, frozenset())
