"""What ``ffnn-jax train --resume`` rejects; tests/faults covers successful resumption."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ffnn_jax.cli import main
from ffnn_jax.runs import locked

pytestmark = pytest.mark.usefixtures(
    "quick_compilation_of_the_module", "blank_figures_of_the_module"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 20 steps."""
    folder = tmp_path_factory.mktemp("resume") / "run"
    main(["train", "--layers", "dense 10", "--steps", "20", "--run-dir", str(folder)])
    return folder


@pytest.fixture
def rejected(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def line(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["train", *words])
        assert end.value.code == 2
        (message,) = capsys.readouterr().err.splitlines()
        return message.removeprefix("ffnn-jax: ")

    return line


def test_a_folder_without_a_run_is_not_resumed(rejected: Callable[..., str], tmp_path: Path):
    message = rejected("--resume", str(tmp_path))
    assert message == f"{tmp_path}: not a run that can be resumed (no checkpoints there)"


def test_a_setting_that_is_fixed_on_resume_is_rejected(
    rejected: Callable[..., str], tmp_path: Path
):
    message = rejected("--resume", str(tmp_path), "--learning-rate", "0.1")
    assert message == "learning-rate: a resumed run keeps its own; only --steps may change"


def test_a_run_is_not_resumed_to_fewer_steps(rejected: Callable[..., str], run: Path):
    message = rejected("--resume", str(run), "--steps", "5")
    assert message == "steps must be at least the 20 done, got 5"


def test_a_run_in_use_is_rejected_with_its_process(rejected: Callable[..., str], run: Path):
    with locked(run):
        message = rejected("--resume", str(run))
    assert message.startswith(f"{run} is in use by process {os.getpid()} on ")


def test_checkpoints_are_at_least_a_step_apart(rejected: Callable[..., str]):
    assert rejected("--checkpoint-every", "0") == "checkpoint-every must be at least 1, got 0"
