"""``ffnn-jax train --resume``: a run that was ended goes on as if it had not been."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.cli import main
from ffnn_jax.runs import alone_in

TRAIN = ("train", "--steps", "900", "--batch-size", "4", "--checkpoint-every", "100")


def slow(value: object) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "ffnn_jax", *words],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"TFDS_DATA_DIR": str(folder / "data")},
    )  # fmt: skip


def finished(folder: Path, *words: str) -> tuple[int, str, str]:
    run = started(folder, *words)
    said, complaints = run.communicate(timeout=120)
    return run.returncode, said, complaints


def read_until(run: subprocess.Popen[str], words: str) -> None:
    assert run.stdout is not None
    for line in run.stdout:
        if words in line:
            return
    raise AssertionError(run.stderr.read() if run.stderr else "")


def outcome(folder: Path) -> tuple[str, str]:
    result = json.loads((folder / "result.json").read_text())
    return result["parameters_sha256"][0], (folder / "metrics.jsonl").read_text()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a run that nothing has ended, runs/straight."""
    folder = tmp_path_factory.mktemp("resume")
    assert finished(folder, *TRAIN, "--run-dir", "runs/straight")[0] == 0
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, slow(signal.SIGINT)])
def test_a_run_saves_at_a_signal_and_goes_on_to_the_same_bits(straight: Path, number: int):
    name = f"runs/{signal.Signals(number).name}"
    run = started(straight, *TRAIN, "--run-dir", name)
    read_until(run, "smoothed loss")
    run.send_signal(number)
    _, said = run.communicate(timeout=40)
    assert run.returncode == 128 + number
    assert said.startswith("ffnn-jax: saved at step ")
    assert said.endswith(f"; go on with: ffnn-jax train --resume {name}\n")
    code, told, complaints = finished(straight, "train", "--resume", name)
    assert (code, complaints) == (0, "")
    assert "going on   after step " in told
    assert outcome(straight / name) == outcome(straight / "runs" / "straight")


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_from_its_last_checkpoint(straight: Path):
    run = started(straight, *TRAIN, "--run-dir", "runs/killed")
    read_until(run, "smoothed loss")
    run.kill()
    run.communicate()
    assert finished(straight, "train", "--resume", "runs/killed")[0] == 0
    assert outcome(straight / "runs" / "killed") == outcome(straight / "runs" / "straight")


@pytest.mark.parametrize("words", ["compiling the training step", slow("classifying all images")])
def test_a_signal_is_heard_while_python_is_not_running(straight: Path, words: str):
    name = f"runs/{words.partition(' ')[0]}"
    run = started(straight, *TRAIN, "--no-cache", "--run-dir", name)
    read_until(run, words)
    began = time.monotonic()
    run.terminate()
    _, said = run.communicate(timeout=40)
    assert run.returncode == 143
    assert time.monotonic() - began < 5
    assert said == f"ffnn-jax: ended by SIGTERM; go on with: ffnn-jax train --resume {name}\n"
    assert finished(straight, "train", "--resume", name)[0] == 0
    assert outcome(straight / name) == outcome(straight / "runs" / "straight")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def line(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["train", *words])
        assert end.value.code == 2
        (said,) = capsys.readouterr().err.splitlines()
        return said.removeprefix("ffnn-jax: ")

    return line


def test_what_is_no_run_is_not_resumed(refused: Callable[..., str], tmp_path: Path):
    said = refused("--resume", str(tmp_path))
    assert said == f"{tmp_path}: no run that can be resumed (it has no checkpoints)"


def test_settings_beside_those_of_the_run_are_refused(refused: Callable[..., str], tmp_path: Path):
    said = refused("--resume", str(tmp_path), "--learning-rate", "0.1")
    assert said == "learning-rate: a run is resumed with its own; only --steps may change"


def test_a_run_is_not_resumed_to_fewer_steps(refused: Callable[..., str], straight: Path):
    said = refused("--resume", str(straight / "runs" / "straight"), "--steps", "5")
    assert said == "steps must be at least the 900 done, got 5"


def test_a_run_in_use_is_refused_by_its_process(refused: Callable[..., str], straight: Path):
    folder = straight / "runs" / "straight"
    with alone_in(folder):
        said = refused("--resume", str(folder))
    assert said.startswith(f"{folder} is in use by process {os.getpid()} on ")


def test_checkpoints_are_at_least_a_step_apart(refused: Callable[..., str]):
    assert refused("--checkpoint-every", "0") == "checkpoint-every must be at least 1, got 0"
