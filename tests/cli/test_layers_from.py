"""Layers of one's own on the command line: trained by name, never imported by what was saved."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from ffnn_jax.config._own_layers import OWN
from ffnn_jax.data import sample_digit
from tests.cli.conftest import code_of

pytestmark = pytest.mark.usefixtures(
    "quick_compilation_of_the_module", "blank_figures_of_the_module"
)

SQUARE = """
import dataclasses
from ffnn_jax.nn import Layer

@dataclasses.dataclass(frozen=True)
class Square(Layer):
    factor: float = 1.0
    def __call__(self, params, x):
        return self.factor * x * x
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty folder with a module of a layer; afterwards the module is forgotten."""
    (tmp_path / "squares_of_mine.py").write_text(SQUARE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    forget()


def forget() -> None:
    """As a new process would."""
    sys.modules.pop("squares_of_mine", None)
    OWN.clear()


@pytest.mark.parametrize(
    "names",
    [("summary", "train"), pytest.param(("predict", "evaluate", "export"), marks=pytest.mark.slow)],
)
def test_a_run_with_a_layer_of_ones_own_goes_on_once_the_module_is_named(
    names: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
):
    layers = "maxpool 4, squares_of_mine:Square 0.5, dense 10"
    assert code_of("train", "--layers", layers, "--steps", "3", "--seed", "4") == 0
    *_, predict, evaluate = capsys.readouterr().out.splitlines()
    assert predict.endswith(f"{sample_digit()} --layers-from squares_of_mine")
    assert evaluate.endswith("--layers-from squares_of_mine")
    run = ["runs/quickstart-1"]
    commands = [
        ["predict", *run, str(sample_digit())], ["evaluate", *run, "--split", "test[:9]"],
        ["export", *run], ["summary", *run], ["train", "--resume", *run, "--steps", "5"],
    ]  # fmt: skip
    for words in (one for one in commands if one[0] in names):
        forget()
        assert code_of(*words) == 2
        assert "unknown layer type 'Square' (your own by --layers-from" in capsys.readouterr().err
        assert "squares_of_mine" not in sys.modules
        assert code_of(words[0], "--layers-from=squares_of_mine", *words[1:]) == 0
    steps = json.loads((here / "runs/quickstart-1/config.json").read_text())["steps"]
    assert steps == (5 if "train" in names else 3)
    forget()
    assert code_of("train", "runs/quickstart-1/settings.toml", "--dry-run") == 0


def test_an_error_of_ones_own_layer_names_it(here: Path, capsys: pytest.CaptureFixture[str]):
    layers = "maxpool 4, squares_of_mine:Square word, dense 10"
    assert code_of("train", "--layers", layers) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ffnn-jax: layer 2, Square(factor='word'), for inputs of shape (7, 7, 1)"
    )
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("summary --layers-from", "layers-from needs the name of a module, as in --layers-from my"),
        ("predict a b --layers-fro=my", "Unrecognized options: --layers-fro=my; did you mean --la"),
        ("summary --layer-from x", "Unrecognized options: --layer-from, x; did you mean --la"),
        ("summary --layers-from none_of_mine", "module 'none_of_mine' cannot be imported: Module"),
        ("summary --layers-from json", "module json has no layer, a frozen dataclass that inher"),
    ],
)
def test_a_module_that_gives_no_layers_is_rejected(here: Path, words: str, problem: str, capsys):
    assert code_of(*shlex.split(words)) == 2
    assert capsys.readouterr().err.startswith(f"ffnn-jax: {problem}")
