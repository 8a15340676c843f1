"""An interrupted run resumes as if it had not ended, or reports why it cannot."""

import dataclasses
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ffnn_jax.config import RunInterruptedError, Settings, UserError, Validation
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.models import load_arrays
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU
from ffnn_jax.runs import (
    CheckpointManager,
    RunResult,
    StopRequest,
    _checkpoints,
    _environment,
    compute,
    last_checkpoint,
    locked,
    result_to_json,
)
from ffnn_jax.training import Callbacks, Record, Snapshot

SETTINGS = Settings(
    preset="mnist", dataset="random", layers=(Conv(2, 3), ReLU(), MaxPool(2), Dense(3)),
    validation=Validation("drawn", 9), steps=23, batch_size=4, validation_interval=5,
    validation_batches=2, seeds=2, forms=(),
)  # fmt: skip


def images(name: str, seed: int) -> Dataset:
    generator = np.random.default_rng(seed)
    labels = np.arange(36, dtype=np.int32) % 3
    pixels = generator.integers(0, 256, (36, 6, 5, 1), np.uint8)
    return Dataset(f"random/{name}", pixels, labels, ("cat", "dog", "eel"))


SPLITS = Splits(images("train", 0), None, images("test", 1))


class EndingAt(CheckpointManager):
    """A checkpoint manager that receives a signal after a given step."""

    def __init__(self, step: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._step = step

    def next_stop(self, step: int) -> int:
        return min(super().next_stop(step), self._step if step < self._step else 10**9)

    def on_stop(self, step: int, steps: int, snapshot: Any) -> None:
        if step >= self._step:
            self._stop.signal = 15
        super().on_stop(step, steps, snapshot)


class StartedError(Exception):
    """Raised where compilation would start."""


class EndingAtStart(CheckpointManager):
    """A checkpoint manager that ends a run before compilation."""

    def on_begin(self, fresh: Snapshot) -> Snapshot:
        super().on_begin(fresh)
        raise StartedError


@pytest.fixture(scope="module")
def uninterrupted() -> RunResult:
    return compute(SETTINGS, SPLITS)


def interrupted_at(folder: Path, step: int, every: int = 10) -> None:
    with pytest.raises(RunInterruptedError, match=f"saved at step {step}$") as caught:
        compute(SETTINGS, SPLITS, callbacks=EndingAt(step, folder, every=every))
    assert caught.value.signal == 15


def resumed(folder: Path, settings: Settings = SETTINGS, splits: Splits = SPLITS) -> RunResult:
    return compute(
        settings,
        splits,
        callbacks=CheckpointManager(folder, every=10, start=last_checkpoint(folder)),
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def assert_the_same(ours: RunResult, theirs: RunResult) -> None:
    digests = [[model.parameters_sha256 for model in one.models] for one in (ours, theirs)]
    assert digests[0] == digests[1]
    assert ours.trained.history == theirs.trained.history
    assert result_to_json(ours)["test_accuracy"] == result_to_json(theirs)["test_accuracy"]


def test_the_metrics_of_a_run_are_on_disk_as_they_come_and_those_of_a_resumed_run_once(tmp_path):
    class Listener(Callbacks):
        def on_record(self, record: Record) -> None:
            heard.append(record)

    def on_disk() -> list[Record]:
        lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
        return [Record(**json.loads(line)) for line in lines]

    heard: list[Record] = []
    with pytest.raises(RunInterruptedError):
        compute(SETTINGS, SPLITS, EndingAt(12, tmp_path, every=7, listener=Listener()))
    assert [(r.step, r.seed) for r in on_disk()] == [(5, 0), (5, 1), (10, 0), (10, 1)]
    assert heard == on_disk()
    (tmp_path / "checkpoints" / "step-0000000012.npz").unlink()
    assert resumed(tmp_path).trained.history == on_disk()


@pytest.mark.parametrize("step", [1, 7, 10, 22])
def test_a_run_resumed_from_any_step_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted, step: int
):
    interrupted_at(tmp_path, step)
    assert_the_same(resumed(tmp_path), uninterrupted)


def test_a_run_may_be_interrupted_repeatedly(tmp_path: Path, uninterrupted):
    interrupted_at(tmp_path, 3)
    for step in (4, 9, 17):
        start = last_checkpoint(tmp_path)
        with pytest.raises(RunInterruptedError):
            compute(SETTINGS, SPLITS, callbacks=EndingAt(step, tmp_path, 10, start))
    assert_the_same(resumed(tmp_path), uninterrupted)


def test_a_run_resumed_to_more_steps_equals_a_longer_run(tmp_path: Path, uninterrupted):
    shorter = dataclasses.replace(SETTINGS, steps=12, validation_interval=5)
    compute(shorter, SPLITS, callbacks=CheckpointManager(tmp_path))
    longer = resumed(tmp_path)
    digests = [[model.parameters_sha256 for model in one.models] for one in (longer, uninterrupted)]
    assert digests[0] == digests[1]
    assert [r for r in longer.trained.history if r.step != 12] == uninterrupted.trained.history


def test_the_initial_state_is_saved_before_compilation(tmp_path: Path):
    with pytest.raises(StartedError):
        compute(SETTINGS, SPLITS, callbacks=EndingAtStart(tmp_path))
    assert last_checkpoint(tmp_path).about["step"] == 0


def test_the_last_three_and_the_best_are_kept(tmp_path: Path):
    compute(SETTINGS, SPLITS, callbacks=CheckpointManager(tmp_path, every=5))
    assert names(tmp_path) == [
        "best.npz", *(f"step-{step:010}.npz" for step in (15, 20, 23)),
    ]  # fmt: skip
    about = load_arrays(tmp_path / "checkpoints" / "best.npz")[1]
    accuracies = {}
    for _, step, *_, validation in about["history"]:
        accuracies.setdefault(step, []).append(validation)
    assert about["validation"] == np.mean(accuracies[about["step"]])


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    tmp_path: Path, uninterrupted, caplog: pytest.LogCaptureFixture
):
    interrupted_at(tmp_path, 22)
    newest = tmp_path / "checkpoints" / "step-0000000022.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING):
        result = resumed(tmp_path)
    assert str(newest) in caplog.text and "using the one before it" in caplog.text
    assert_the_same(result, uninterrupted)


def test_damaged_checkpoints_do_not_count_among_the_last_three(tmp_path: Path, uninterrupted):
    interrupted_at(tmp_path, 12)
    for step in (900, 950, 990):
        (tmp_path / "checkpoints" / f"step-{step:010}.npz").write_bytes(b"damaged")
    assert_the_same(resumed(tmp_path), uninterrupted)
    kept = [name for name in names(tmp_path) if name.endswith(".npz")]
    assert kept == ["best.npz", *(f"step-{step:010}.npz" for step in (12, 20, 23))]
    assert f"step-{990:010}.npz.damaged" in names(tmp_path)


def test_a_run_resumes_from_the_best_if_all_others_are_missing(tmp_path: Path, uninterrupted):
    compute(SETTINGS, SPLITS, callbacks=CheckpointManager(tmp_path, every=5))
    for path in (tmp_path / "checkpoints").glob("step-*.npz"):
        path.unlink()
    assert last_checkpoint(tmp_path).path.name == "best.npz"
    assert_the_same(resumed(tmp_path), uninterrupted)


def test_a_best_checkpoint_of_another_run_is_named_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    other = dataclasses.replace(SETTINGS, learning_rate=1e-3)
    compute(other, SPLITS, callbacks=CheckpointManager(tmp_path / "other", every=5))
    interrupted_at(tmp_path, 3)
    best = tmp_path / "checkpoints" / "best.npz"
    best.write_bytes((tmp_path / "other" / "checkpoints" / "best.npz").read_bytes())
    with caplog.at_level(logging.WARNING):
        resumed(tmp_path)
    assert "best.npz: from another run; it will be replaced" in caplog.text
    assert load_arrays(best)[1]["settings"] == SETTINGS.to_json()


def test_a_new_number_of_steps_is_saved_at_once(tmp_path: Path):
    interrupted_at(tmp_path, 7)
    longer = dataclasses.replace(SETTINGS, steps=40)
    checkpoints = EndingAtStart(tmp_path, start=last_checkpoint(tmp_path))
    with pytest.raises(StartedError):
        compute(longer, SPLITS, callbacks=checkpoints)
    about = last_checkpoint(tmp_path).about
    assert (about["step"], about["settings"]["steps"]) == (7, 40)


def test_a_resumed_run_keeps_its_checkpoint_interval(tmp_path: Path):
    interrupted_at(tmp_path, 7, every=9)
    assert CheckpointManager(tmp_path, start=last_checkpoint(tmp_path)).next_stop(7) == 9
    assert CheckpointManager(tmp_path, 4, last_checkpoint(tmp_path)).next_stop(7) == 8


@pytest.mark.parametrize("name", ["cores", "devices", "device", "processor features"])
def test_changes_that_may_give_other_bits_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
):
    interrupted_at(tmp_path, 7)
    elsewhere = {**_environment.arithmetic(), name: 99}
    monkeypatch.setattr(_checkpoints, "arithmetic", lambda devices: elsewhere)
    with caplog.at_level(logging.WARNING):
        resumed(tmp_path)
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"{name} was ") and " and is now 99: results may differ" in message


def test_a_run_without_readable_checkpoints_does_not_start_again(tmp_path: Path):
    with pytest.raises(
        UserError, match="ended before its first checkpoint: remove it and start again"
    ):
        last_checkpoint(tmp_path)
    interrupted_at(tmp_path, 3)
    for path in (tmp_path / "checkpoints").glob("*.npz"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="has no readable checkpoint: nothing to resume"):
        last_checkpoint(tmp_path)


def test_other_images_are_rejected(tmp_path: Path):
    interrupted_at(tmp_path, 3)
    message = r"step-0000000003\.npz: the images or labels of random/train have changed since"
    with pytest.raises(UserError, match=message):
        resumed(tmp_path, splits=SPLITS._replace(train=images("train", 2)))


def test_other_names_of_the_same_classes_are_rejected(tmp_path: Path):
    interrupted_at(tmp_path, 3)
    parts: list[Any] = [
        part and dataclasses.replace(part, class_names=("a", "b", "c")) for part in SPLITS
    ]
    message = r"class names changed from \['cat', 'dog', 'eel'\] to \['a', 'b', 'c'\]; restore"
    with pytest.raises(UserError, match=message):
        resumed(tmp_path, splits=Splits(*parts))


def test_another_network_is_rejected_by_the_arrays_that_differ(tmp_path: Path):
    interrupted_at(tmp_path, 3)
    wider = dataclasses.replace(SETTINGS, layers=(Conv(3, 3), ReLU(), MaxPool(2), Dense(3)))
    difference = r"seed_0/opt_state/m/conv_1/b is float32 \(2,\), not float32 \(3,\); "
    with pytest.raises(UserError, match=f"from another run: {difference}"):
        resumed(tmp_path, wider)


def test_half_written_files_of_a_killed_process_are_removed(tmp_path: Path, uninterrupted):
    interrupted_at(tmp_path, 3)
    (tmp_path / "checkpoints" / ".step-0000000004.npz.99.part").write_bytes(b"half")
    assert_the_same(resumed(tmp_path), uninterrupted)
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_a_failed_save_names_its_file_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted
):
    from ffnn_jax.runs import _checkpoints

    interrupted_at(tmp_path, 7)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_checkpoints, "save_arrays", full)
        with pytest.raises(OSError, match=r"step-0000000010\.npz cannot be written: No space left"):
            resumed(tmp_path)
    assert_the_same(resumed(tmp_path), uninterrupted)


def test_two_processes_cannot_write_to_one_folder(tmp_path: Path):
    rejected = pytest.raises(UserError, match=r"is in use by process \d+ on ")
    with locked(tmp_path), rejected, locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
    assert not (tmp_path / "owner.json").exists()


def test_a_signal_at_the_last_step_does_not_interrupt_the_run(tmp_path: Path, uninterrupted):
    stop = StopRequest(signal=None)
    result = compute(SETTINGS, SPLITS, callbacks=EndingAt(23, tmp_path, stop=stop))
    assert stop.signal == 15
    assert_the_same(result, uninterrupted)


@pytest.mark.cpu
def test_a_streamed_run_resumes_to_the_same_bits(tmp_path: Path, uninterrupted):
    pytest.importorskip("grain")
    interrupted_at(tmp_path, 7)
    checkpoints = CheckpointManager(tmp_path, start=last_checkpoint(tmp_path))
    assert_the_same(compute(SETTINGS, SPLITS, streaming=True, callbacks=checkpoints), uninterrupted)


def test_the_time_of_a_run_includes_the_time_before_it_was_resumed(tmp_path: Path):
    interrupted_at(tmp_path, 22)
    before = last_checkpoint(tmp_path).about["seconds"]
    assert resumed(tmp_path).trained.train_seconds > before > 0


SAVED = {"steps": 10, "batch_size": 16, "seed": 3}


def checkpoint(folder: Path) -> Any:
    return SimpleNamespace(path=folder / "last.npz", about={"settings": SAVED})


def test_settings_that_were_changed_beside_the_checkpoint_are_named_with_both_values(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SAVED | {"seed": 4}))
    with pytest.raises(UserError) as caught:
        _checkpoints._require_same_run(tmp_path, checkpoint(tmp_path))
    line = f"{tmp_path / 'last.npz'}: from another run: seed is 3, "
    assert str(caught.value) == f"{line}{tmp_path / 'config.json'} has 4"


@pytest.mark.parametrize("text", [json.dumps(SAVED | {"steps": 99}), "damaged", "3"])
def test_other_steps_and_a_damaged_file_are_no_obstacle(tmp_path, text: str):
    (tmp_path / "config.json").write_text(text)
    _checkpoints._require_same_run(tmp_path, checkpoint(tmp_path))
