"""Sweep files: their rows are every combination, and their mistakes one line."""

from pathlib import Path

import pytest

from ffnn_jax.config import UserError, layers_from_text, preset, sweep_rows
from ffnn_jax.config._augmentations import Crop


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("s.toml")


def test_rows_and_grid_are_multiplied(file: Path):
    file.write_text("""
base = "cifar10-3"
seeds = 7
[grid]
learning_rate = [0.5, 0.25]
augmentations = [[], ["crop:2"]]
[rows.plain]
[rows.wide]
layers = "conv 32 5, dense 10"
batch_size = 8
""")
    rows, seeds = sweep_rows(["s.toml"])
    assert seeds == 7
    assert list(rows) == [
        f"{name}, learning_rate {rate}, augmentations {words}"
        for name in ("plain", "wide") for rate in ("0.5", "0.25") for words in ("[]", '["crop:2"]')
    ]  # fmt: skip
    first, *_, last = (row.settings for row in rows.values())
    assert (first.learning_rate, first.augmentations, first.batch_size) == (0.5, (), 16)
    assert first.layers == preset("cifar10-3").layers
    assert (last.learning_rate, last.augmentations, last.batch_size) == (0.25, (Crop(2),), 8)
    assert last.layers == layers_from_text("conv 32 5, dense 10")
    assert {row.settings.preset for row in rows.values()} == {"cifar10-3"}
    assert {"layers", "batch_size"} < rows["wide, learning_rate 0.5, augmentations []"].given


def test_rows_alone_a_grid_alone_and_other_names(file: Path):
    file.write_text('base = "my.toml"\n[rows.a]\nmomentum = 0.5\n')
    Path("my.toml").write_text('preset = "mnist"\nname = "mine"\nsteps = 20\n')
    Path("grid.toml").write_text('base = "my.toml"\n[grid]\nmomentum = [0.1]\n')
    rows, seeds = sweep_rows(["s.toml", "grid.toml", "my.toml", "cifar10-0"])
    assert seeds == 5
    assert {name: row.settings.momentum for name, row in rows.items()} == {
        "a": 0.5, "mine, momentum 0.1": 0.1, "mine": 0.9, "cifar10-0": 0.95,
    }  # fmt: skip
    assert [row.settings.steps for row in rows.values()] == [20, 20, 20, 5000]


def test_seeds_of_the_command_go_before_those_of_files(file: Path):
    for name, seeds in (("a", 2), ("b", 3)):
        Path(f"{name}.toml").write_text(f'base = "mnist"\nseeds = {seeds}\n[rows.{name}]\n')
    assert sweep_rows(["a.toml", "mnist"]).seeds == 2
    assert sweep_rows(["a.toml", "b.toml"], 9).seeds == 9
    with pytest.raises(UserError, match=r"^seeds: the files ask for 2 and 3$"):
        sweep_rows(["a.toml", "b.toml"])


GRID = 'base = "mnist"\n[grid]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GRID + "learning-rate = [1.0]",
         "s.toml: grid: unknown key 'learning-rate'; did you mean learning_rate?"),
        (GRID + "seed = [1]", "s.toml: grid: unknown key 'seed'; did you mean "),
        (GRID + "weight_decay = [0.1, -1]",
         "s.toml: mnist, weight_decay -1: weight_decay must be at least 0, finite, got -1"),
        (GRID + "steps = 5", "s.toml: grid: steps must be a list of values, got 5"),
        (GRID + "steps = []", "s.toml: grid: steps must be a list of values, got []"),
        ("[grid]\nsteps = [5]", "s.toml: base must be a preset, a settings file or the folder"),
        ('base = "mnits"', "s.toml: unknown preset 'mnits'"),
        ('base = "mnist"\ngird = 3', "s.toml: unknown key 'gird'; did you mean grid?"),
        ('base = "mnist"\ngrid = 3', "s.toml: grid must be a table, got 3"),
        ('base = "mnist"\n[rows]\na = 3', "s.toml: rows.a must be a table, got 3"),
        (GRID + "steps = [5]\n[rows.a]\nsteps = 7",
         "s.toml: rows.a: steps is a key of the grid, too"),
        ('base = "s.toml"', "s.toml: base must be no sweep file, and s.toml is one"),
        ('base = "mnist"\n[rows.a]\nsteps = 0', "s.toml: a: steps must be from 1"),
        ('base = "mnist"\nseeds = [1]', "s.toml: seeds must be from 1 to 10000, got [1]"),
        ('base = "mnist"\nseeds = true', "s.toml: seeds must be from 1 to 10000, got True"),
        ("base = ", "s.toml: cannot be read: "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_file_and_the_row(file: Path, text: str, message: str):
    file.write_text(text)
    with pytest.raises(UserError) as error:
        sweep_rows(["s.toml"])
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_names_that_are_given_twice_or_not_at_all_are_rejected():
    with pytest.raises(UserError, match=r"^two rows are called 'mnist': "):
        sweep_rows(["mnist", "mnist"])
    with pytest.raises(UserError, match=r"^sweep needs a preset, "):
        sweep_rows([])
    with pytest.raises(UserError, match=r"^seeds must be from 1 to 10000, got 0$"):
        sweep_rows(["mnist"], 0)
