"""``ffnn-jax tune``, for real: what it prints and leaves, and how else it may end."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ffnn_jax.config import named_settings
from ffnn_jax.runs import _tuning
from tests.cli.conftest import code_of

pytestmark = pytest.mark.usefixtures(
    "quick_compilation_of_the_module", "blank_figures_of_the_module"
)

BAD = """name = "mine"
dataset = "mnist_5k"
layers = "maxpool 4, dense 10"
learning_rate = 3000
steps = 20
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a settings file whose learning rate is far too high."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(BAD)
    return tmp_path


def test_a_suggestion_is_found_printed_kept_and_trained_with(here: Path, capsys, monkeypatch):
    monkeypatch.setattr(_tuning, "_TRIED", (1.0, 1 / 4))  # each compiles a program
    monkeypatch.setattr(_tuning, "_MOST_TRIALS", 3)
    folder = here / "runs" / "tune-mine-2"
    (here / "runs" / "tune-mine-1").mkdir(parents=True)  # of an earlier call
    assert code_of("tune", "my.toml", "--steps", "40", "--seed", "7", "--json", "a.json") == 0
    said, errors = capsys.readouterr()
    assert re.match("range test ...\nlearning rate 3000 ...\nlearning rate ", errors)
    assert {path.name for path in folder.iterdir()} >= {"settings.toml", "tune.json", "tune.png"}
    asked = json.loads(Path("a.json").read_text())
    assert asked == json.loads((folder / "tune.json").read_text())
    own, *others = asked["trials"]
    assert own["learning_rate"] == 3000
    for trial in others:
        if trial["learning_rate"] == asked["suggestion"]:
            assert trial["validation_accuracy"] > 0.65
    assert f"suggestion {asked['suggestion']}: open runs/tune-mine-2/tune.png\n" in said
    suggested, _ = named_settings("runs/tune-mine-2/settings.toml")
    assert (suggested.seed, suggested.steps, suggested.preset) == (7, 20, "mine")
    assert suggested.learning_rate == asked["suggestion"] < 100
    *_, command = said.splitlines()
    assert code_of(*shlex.split(command)[2:]) == 0
    assert Path("runs/mine-1/result.json").is_file()
    assert list((here / "runs" / "tune-mine-1").iterdir()) == []


def test_impossible_requests_are_rejected_in_one_line(here: Path, capsys):
    assert code_of("tune", "my.toml", "--steps", "19") == 2
    assert code_of("tune", "my.toml", "--run-dir", here) == 2
    assert code_of("tune", "my.toml", "--json", "none/a.json") == 2
    assert code_of("tune", "mnst") == 2
    steps, folder, json_file, name = capsys.readouterr().err.splitlines()
    assert steps == "ffnn-jax: steps must be at least 20, got 19"
    assert folder == f"ffnn-jax: run-dir must not exist yet, {here} does"
    assert "a.json cannot be written: no folder" in json_file
    assert name.endswith("did you mean mnist?")
    assert not (here / "runs").exists() or not list((here / "runs").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_what_was_tried_until_ctrl_c_is_kept(here: Path):
    command = [sys.executable, "-m", "ffnn_jax", "tune", "my.toml", "--steps", "100"]
    quick = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    with subprocess.Popen(command, env=quick, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        lines = iter(process.stderr.readline, "")
        said = [line for line, _ in zip(lines, range(4), strict=False)]
        process.send_signal(signal.SIGINT)
        *_, last = process.stderr.readlines()
    assert said[0] == "range test ...\n"
    assert last == "ffnn-jax: ended by SIGINT; what was tried is in runs/tune-mine-1\n"
    assert process.returncode == 128 + signal.SIGINT
    kept = json.loads(Path("runs/tune-mine-1/tune.json").read_text())
    left = {path.name for path in Path("runs/tune-mine-1").iterdir()}
    assert left <= {"tune.json", "tune.png", "settings.toml", ".part"}
    assert len(kept["trials"]) >= 2 and kept["curve"]
    assert Path("runs/tune-mine-1/tune.png").stat().st_size > 1000
