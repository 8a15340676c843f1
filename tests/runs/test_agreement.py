"""Several processes save one run, end at the same step, and resume to the same bits."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.config import RunInterruptedError, Settings, UserError
from ffnn_jax.runs import (
    CheckpointManager,
    RunResult,
    StopRequest,
    agreed_folder,
    checkpoints,
    compute,
    last_checkpoint,
    plan,
)
from ffnn_jax.training import Callbacks, Record, Snapshot
from tests.runs.peers import Peers
from tests.runs.test_checkpoints import SETTINGS, SPLITS, images

ONE_SEED = dataclasses.replace(SETTINGS, seeds=1)


class Signalled(Callbacks):
    """Requests a stop once, after a record of this step."""

    def __init__(self, stop: StopRequest, step: int) -> None:
        self._stop, self._step = stop, step

    def on_record(self, record: Record) -> None:
        if record.step == self._step:
            self._stop.signal = 15


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Peers:
    return Peers(2, monkeypatch)


def run(
    folder: Path, settings: Settings = ONE_SEED, signalled_at: int = 0, resumes: bool = False,
    splits: Any = SPLITS,
) -> RunResult:  # fmt: skip
    stop, start = StopRequest(), last_checkpoint(folder) if resumes else None
    listener = Signalled(stop, signalled_at)
    return compute(settings, splits, checkpoints(folder, 10, start, stop, listener))


def digest(result: RunResult) -> str:
    return result.models[0].parameters_sha256


@pytest.fixture(scope="module")
def alone() -> RunResult:
    return compute(ONE_SEED, SPLITS)


def test_one_process_has_the_plain_callbacks(tmp_path: Path):
    assert type(checkpoints(tmp_path, 10, None, StopRequest(), Callbacks())) is CheckpointManager


def test_a_signal_to_one_ends_all_at_the_same_step_and_they_resume(
    two: Peers, tmp_path: Path, alone: RunResult
):
    folders = [tmp_path / "first", tmp_path / "other"]
    ends = two.each(lambda k: run(folders[k], signalled_at=5 if k == 1 else 0))
    assert [type(end) for end in ends] == [RunInterruptedError] * 2
    assert [str(end) for end in ends] == ["saved at step 5"] * 2
    assert [end.code for end in ends] == [143] * 2
    assert not folders[1].exists()
    results = two.each(lambda _: run(folders[0], resumes=True))
    assert [digest(result) for result in results] == [digest(alone)] * 2
    lines = (folders[0] / "metrics.jsonl").read_text().splitlines()
    assert [Record(**json.loads(line)) for line in lines] == alone.trained.history


def test_the_clock_of_the_first_process_decides(two: Peers, tmp_path: Path, monkeypatch):
    stops = iter([3, 1, 7, 2] * 99)
    monkeypatch.setattr("ffnn_jax.training._loop._next_stop", lambda step, *_: step + next(stops))

    class Noting(Callbacks):
        def on_progress(self, progress: Any) -> None:
            noted.append(progress.step)

    def train(k: int) -> list[int]:
        stop = StopRequest()
        compute(ONE_SEED, SPLITS, checkpoints(tmp_path / "run", 10, None, stop, Noting()))
        return noted

    noted: list[int] = []
    two.each(train)
    steps = sorted(noted)
    assert steps[::2] == steps[1::2]
    assert max(steps) >= ONE_SEED.steps


def test_differences_are_found_before_a_folder_is_made(two: Peers, tmp_path: Path):
    def start(k: int, settings: Settings, splits: Any) -> Path:
        planned = plan(settings, splits) if k else plan(ONE_SEED, SPLITS)
        return agreed_folder(planned, tmp_path / "run")

    other = SPLITS._replace(test=images("test", 2))
    faster = dataclasses.replace(ONE_SEED, learning_rate=0.5)
    errors = [
        two.each(lambda k: start(k, faster, SPLITS)),
        two.each(lambda k: start(k, ONE_SEED, other)),
    ]
    for name, pair in zip(("learning_rate is ", "data random/test is "), errors, strict=True):
        assert [f"alike: {name}" in str(error) for error in pair] == [True] * 2
    assert not (tmp_path / "run").exists()
    assert two.each(lambda k: start(k, ONE_SEED, SPLITS)) == [tmp_path / "run"] * 2


def test_different_checkpoints_and_states_are_rejected(two: Peers, tmp_path: Path, monkeypatch):
    folders = [tmp_path / name for name in "ab"]
    steps = dict(zip(folders, (5, 10), strict=True))
    for folder in folders:
        ends = two.each(lambda k, f=folder: run(f, signalled_at=steps[f]))
        assert "saved at step" in str(ends[0])
    errors = two.each(lambda k: run(folders[k], resumes=True))
    assert ["alike: checkpoint is sha256" in str(error) for error in errors] == [True] * 2

    real = Snapshot.to_arrays
    monkeypatch.setattr(
        Snapshot, "to_arrays",
        lambda self: {n: a + (two.index == 1) for n, a in real(self).items()},
    )  # fmt: skip
    errors = two.each(lambda k: run(tmp_path / "c"))
    assert ["alike: initial state is" in str(error) for error in errors] == [True] * 2


def test_several_seeds_are_rejected(two: Peers):
    errors = two.each(lambda k: plan(SETTINGS, SPLITS))
    assert [isinstance(error, UserError) for error in errors] == [True] * 2
    assert "seeds must be 1 with --distributed, got 2" in str(errors[0])
