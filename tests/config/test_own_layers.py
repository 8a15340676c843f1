"""Layers of a module of one's own: found by name, and imported only where the user names them."""

import re
import sys
from pathlib import Path

import pytest

from ffnn_jax.config import (
    UserError,
    layers_from,
    layers_from_json,
    layers_from_text,
    layers_to_json,
    layers_to_text,
    use_layers,
)
from ffnn_jax.config._own_layers import OWN
from ffnn_jax.nn import Dense, ReLU, Residual

MODULE = """
import dataclasses
from ffnn_jax.nn import Dense, Layer

NUMBER = 3

@dataclasses.dataclass(frozen=True)
class Square(Layer):
    factor: float = 1.0
    def __call__(self, params, x):
        return self.factor * x * x

@dataclasses.dataclass(frozen=True)
class Scale(Layer):
    pass
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A good and a broken module in the current folder."""
    (tmp_path / "own_of_mine.py").write_text(MODULE)
    (tmp_path / "broken_of_mine.py").write_text("import dataclasses\n1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    sys.modules.pop("own_of_mine", None)
    OWN.clear()


def test_a_layer_of_the_current_folder_is_read_and_written():
    text = "own_of_mine:Square 2.0, dense 10"
    square, dense = layers_from_text(text)
    assert (type(square).__name__, vars(square), dense) == ("Square", {"factor": 2.0}, Dense(10))
    assert layers_to_text([square, dense]) == text
    use_layers("own_of_mine")
    assert layers_from_json(layers_to_json([square])) == (square,)


def test_the_current_folder_hides_no_installed_module(tmp_path: Path):
    (tmp_path / "chex.py").write_text("raise SystemExit")
    use_layers("own_of_mine")
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("own_of_mine:Sqare", "module own_of_mine has no layer 'Sqare', .*; did you mean Square?"),
        (
            "own_of_mine:NUMBER",
            "module own_of_mine has no layer 'NUMBER', a frozen dataclass that ",
        ),
        ("own_of_mine:Scale", "ffnn_jax.nn has another Scale: rename that of own_of_mine"),
        ("own_of_mine:Layer", "module own_of_mine has no layer 'Layer', "),
        ("none_of_mine:X", "module 'none_of_mine' cannot be imported: ModuleNotFoundError: No mod"),
        ("broken_of_mine:X", "module 'broken_of_mine' cannot be imported: ZeroDivisionError: div"),
        ("x..y:X", "module 'x..y' cannot be imported: ModuleNotFoundError: "),
    ],
)
def test_what_cannot_be_found_is_one_line(location: str, problem: str):
    problem = problem.replace("?", re.escape("?"))
    with pytest.raises(UserError, match=f"^layers, character 7: {problem}"):
        layers_from_text(f"relu, {location} 2")


def test_a_module_without_layers_is_rejected():
    with pytest.raises(UserError, match=r"^module json has no layer, a frozen dataclass that"):
        use_layers("json")


def test_what_was_saved_imports_nothing_until_the_user_names_the_module():
    saved = [{"type": "Square", "factor": 2.0}]
    with pytest.raises(UserError, match=r"^unknown layer type 'Square' \(your own by --layers-f"):
        layers_from_json(saved)
    with pytest.raises(UserError, match="unknown layer type 'own_of_mine:Square'"):
        layers_from_json([{"type": "own_of_mine:Square"}])
    assert "own_of_mine" not in sys.modules
    use_layers("own_of_mine")
    (square,) = layers_from_json(saved)
    residual = Residual((ReLU(), square))
    assert layers_from([Dense(3), residual]) == " --layers-from own_of_mine"
    assert layers_from([Dense(3)]) == ""


def test_several_modules_are_separated_by_commas(tmp_path: Path):
    (tmp_path / "second_of_mine.py").write_text(MODULE.replace("Square", "Second"))
    use_layers("own_of_mine,second_of_mine")
    assert OWN.keys() == {"Square", "Second", "Scale"}
