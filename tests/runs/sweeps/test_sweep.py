"""Sweeps store what finishes, name what fails, and do not take other settings for finished."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ffnn_jax.config import FailedSeedsError, UserError
from ffnn_jax.nn import Dense, MaxPool
from ffnn_jax.runs import sweeps
from ffnn_jax.runs.sweeps import append, read_records, run_seed, seeds_of, sweep
from tests.runs.sweeps.calls import Deadly
from tests.runs.sweeps.small import SMALL
from tests.systems import linux

pytest.importorskip("distributed")
BAD = dataclasses.replace(SMALL, layers=(MaxPool(99), Dense(10)))


def test_a_sweep_without_seeds_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match="seeds must be at least 1"):
        sweep({"a": SMALL}, range(0), tmp_path / "s.jsonl")


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'^sweep needs distributed, .*"ffnn-jax\[sweep\]"$'):
        sweep({"a": SMALL}, [0], tmp_path / "s.jsonl")


def test_two_sweeps_of_one_file_are_rejected(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    with (
        FileLock(path.with_suffix(".lock")),
        pytest.raises(UserError, match=r"some\.jsonl is being written by another sweep"),
    ):
        sweep({"row": SMALL}, [0], path)


def test_a_seed_with_other_settings_is_not_taken_for_finished(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    append(path, run_seed("row", SMALL, 0))
    other = dataclasses.replace(SMALL, learning_rate=0.05)
    with pytest.raises(UserError, match="has seed 0 of 'row' with other settings: move it"):
        sweep({"row": other}, [0, 1], path)
    assert len(read_records(path)) == 1


def test_a_failed_seed_spares_the_others_and_is_named(tmp_path: Path, capsys):
    """The row's images are too small for its pooling."""
    path, beside = tmp_path / "s.jsonl", tmp_path / "s.failed.jsonl"
    with pytest.raises(FailedSeedsError, match=r"^1 of 3 seeds failed, .*'bad' seed 0: .*larger"):
        sweep({"bad": BAD, "good": SMALL, "same": SMALL}, [0], path)
    (failed,) = map(json.loads, beside.read_text().splitlines())
    assert (failed["row"], failed["seed"]) == ("bad", 0) and "larger" in failed["reason"]
    good, same = read_records(path)
    assert {good["row"], same["row"]} == {"good", "same"}
    assert good["parameters_sha256"] == same["parameters_sha256"]
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "3 seeds to train"
    assert sorted(line.partition(":")[0] for line in lines) == [
        "'bad' seed 0", "good seed 0", "same seed 0",
    ]  # fmt: skip


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Sweeps train nothing; the list has the seeds that they would train, and the scheduler."""
    made = []

    def outcomes(calls, scheduler):
        for (row, seed), (_, _, settings, *_) in calls.items():
            made.append((row, seed, scheduler))
            stored = dataclasses.replace(settings, seed=seed, forms=()).to_json()
            record = {"row": row, "seed": seed, "settings": stored, "test_accuracy": 0.5}
            yield (row, seed), (None, "too large") if settings == BAD else (record, "")

    monkeypatch.setattr("ffnn_jax.runs.sweeps._sweep.outcomes", outcomes)
    return made


def test_only_what_is_not_stored_is_trained_failures_among_it(tmp_path: Path, made):
    path, beside = tmp_path / "s.jsonl", tmp_path / "s.failed.jsonl"
    with pytest.raises(FailedSeedsError):
        sweep({"a": SMALL, "b": BAD}, [0], path)
    sweep({"a": SMALL, "b": SMALL}, [0, 1], path, scheduler="tcp://there:1")
    there = "tcp://there:1"
    assert made == [
        ("a", 0, None), ("b", 0, None), ("b", 0, there), ("a", 1, there), ("b", 1, there),
    ]  # fmt: skip
    assert not beside.exists()
    assert [one["seed"] for one in seeds_of(read_records(path), "b")] == [0, 1]
    sweep({"a": SMALL}, [0, 1], path)
    assert len(made) == 5


def test_a_summary_has_every_accuracy_and_a_table_mean_and_deviation():
    records = [
        {"row": "a", "seed": seed, "test_accuracy": test, "validation_accuracy": None,
         "train_seconds": 3.0 - seed}
        for seed, test in ((1, 0.5), (0, 0.6))
    ]  # fmt: skip
    found = sweeps.summary(records, ["a", "b"])
    assert found["a"] == {
        "seeds": [0, 1], "test_accuracy": [0.6, 0.5], "validation_accuracy": [None, None],
        "train_seconds": [3.0, 2.0],
    }  # fmt: skip
    assert sweeps.table_rows(found) == [
        ["a", "2", "55.0 ± 7.1 %", "–", "2.5 s"], ["b", "0", "–", "–", "–"],
    ]  # fmt: skip


@linux
@pytest.mark.slow
def test_a_seed_that_always_kills_its_worker_fails_with_its_reason(tmp_path: Path):
    path = tmp_path / "s.jsonl"
    deadly = dataclasses.replace(SMALL, layers=(Deadly(), *SMALL.layers))
    with pytest.raises(FailedSeedsError, match=r"^1 of 5 seeds .*'deadly' seed 0: killed every"):
        sweep({"deadly": deadly} | dict.fromkeys("abcd", SMALL), [0], path)
    assert {record["row"] for record in read_records(path)} == set("abcd")
