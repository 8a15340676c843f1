"""Sweeps: what survives being stopped, and what candidates may not see."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import _sweep
from experiments._rows import rows_of, seeds_of, training_flops
from experiments._sweep import append, quickly, read_records, run_seed, sweep
from ffnn_jax.config import Dense, MaxPool, Refusal, preset
from ffnn_jax.data import Splits, load_splits

RECORD = '{"row": "a", "seed": 0}'
SMALL = dataclasses.replace(quickly(preset("mnist")), layers=(MaxPool(4), Dense(10)))

ENDLESS = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from experiments._sweep import _begin
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    free.put(None)
    pool = ProcessPoolExecutor(1, context, _begin, (free,))
    pool.submit(time.sleep, 0).result()
    (worker,) = pool._processes
    print(worker, flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_workers_end_with_a_sweep_that_is_killed(tmp_path: Path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    root = str(Path(__file__).parents[2])
    begun = subprocess.Popen(
        [sys.executable, "endless.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert begun.stdout is not None
    with begun.stdout as said:
        worker = int(said.readline())
        begun.send_signal(signal.SIGKILL)
        begun.wait()
    ended = time.monotonic() + 30
    while _runs(worker) and time.monotonic() < ended:
        time.sleep(0.05)
    assert not _runs(worker)


INTERRUPTED = """
import dataclasses, sys
from pathlib import Path
from experiments._results import run_command
from experiments._sweep import quickly, sweep
from ffnn_jax.config import preset

def main() -> None:
    long = dataclasses.replace(quickly(preset("mnist")), steps=10**6)
    quick = quickly(preset("mnist"))
    sweep({"quick": quick, "long": long}, [0], Path("some.jsonl"))

if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    run_command(main)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{", RECORD], "line 1: damaged"),
        ([RECORD, "[1, 2]"], "line 2: damaged"),
        (['{"row": "2"}'], "line 1: damaged"),
        ([RECORD, RECORD], "line 2: seed 0 of 'a' is stored twice"),
    ],
)
def test_a_damaged_line_and_a_seed_stored_twice_are_refused(
    tmp_path: Path, lines: list[str], message: str
):
    path = tmp_path / "s.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(Refusal, match=message):
        read_records(path)


def test_a_sweep_of_no_seed_is_refused(tmp_path: Path):
    with pytest.raises(Refusal, match="seeds must be at least 1"):
        sweep({"a": SMALL}, range(0), tmp_path / "s.jsonl")


def test_an_interrupted_sweep_ends_at_once_in_one_line_and_keeps_what_is_stored(tmp_path: Path):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    begun = subprocess.Popen(
        [sys.executable, "interrupted.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert begun.stdout is not None
    assert begun.stdout.readline().startswith("quick seed 0: test accuracy")
    begun.send_signal(signal.SIGINT)
    _, errors = begun.communicate(timeout=30)
    assert begun.returncode == 130
    assert errors.splitlines()[0] == "interrupted; what is stored is kept"
    assert "Traceback" not in errors
    assert [record["row"] for record in read_records(tmp_path / "some.jsonl")] == ["quick"]


def _runs(process: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        return state != "Z"
    return False


def test_a_candidate_sees_no_test_image(monkeypatch: pytest.MonkeyPatch):
    splits = load_splits("mnist_5k")

    class Untouchable:
        image_shape = splits.test.image_shape

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"a candidate asked for the test images' {name}")

    def guarded(*_: Any, **__: Any) -> Any:
        return Splits(splits.train, splits.validation, Untouchable())  # type: ignore[arg-type]

    monkeypatch.setattr("ffnn_jax.data.load_splits", guarded)
    record = run_seed("candidate", SMALL, 0, tested=False)
    assert {"test_accuracy", "confusion"}.isdisjoint(record)
    assert 0 <= record["validation_accuracy"] <= 1


def test_a_seed_is_the_same_tested_or_not():
    tested, untested = (run_seed("some", SMALL, 3, tested) for tested in (True, False))
    for name in ("parameters_sha256", "validation_accuracy", "train_accuracy", "history"):
        assert tested[name] == untested[name]
    assert tested["data_sha256"].items() > untested["data_sha256"].items()
    correct = np.trace(tested["confusion"])
    assert tested["test_accuracy"] == correct / np.sum(tested["confusion"])


def test_what_was_killed_while_it_wrote_costs_that_seed_alone(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    append(path, {"row": "0", "seed": 0})
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"row": "0", "se')
    assert [record["seed"] for record in read_records(path)] == [0]
    append(path, {"row": "0", "seed": 1})
    assert path.read_bytes() == whole + b'{"row": "0", "seed": 1}\n'


def test_two_sweeps_of_one_file_are_refused(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    with (
        _sweep.FileLock(path.with_suffix(".lock")),
        pytest.raises(_sweep.Refusal, match=r"some\.jsonl is being written by another sweep"),
    ):
        _sweep.sweep({"row": SMALL}, [0], path)


def test_a_seed_with_other_settings_is_not_taken_for_done(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    append(path, run_seed("row", SMALL, 0))
    other = dataclasses.replace(SMALL, learning_rate=0.05)
    with pytest.raises(_sweep.Refusal, match="has seed 0 of 'row' with other settings: move it"):
        _sweep.sweep({"row": other}, [0, 1], path)
    assert len(read_records(path)) == 1


def test_what_was_finished_before_one_fails_is_stored(tmp_path: Path):
    """The second row cannot be trained: its images are too small for its pooling."""
    path = tmp_path / "some.jsonl"
    bad = dataclasses.replace(SMALL, layers=(MaxPool(99), Dense(10)))
    with pytest.raises(_sweep.Refusal, match="the window is larger"):
        _sweep.sweep({"good": SMALL, "bad": bad}, [0], path)
    with contextlib.suppress(_sweep.Refusal):
        _sweep.sweep({"good": SMALL, "bad": bad}, [0], path)
    assert {record["row"] for record in read_records(path)} <= {"good"}


def test_rows_are_lists_in_the_order_of_the_seeds():
    records = [
        {**run_seed("a", SMALL, 0), "seed": seed, "test_accuracy": seed / 10, "train_seconds": seed}
        for seed in (3, 1, 2)
    ]
    assert [record["seed"] for record in seeds_of(records, "a")] == [1, 2, 3]
    (row,) = rows_of(records, ("a", "b"), {"a": 0.5}).values()
    assert (row["report"], row["seeds"], row["train_seconds"]) == (0.5, [1, 2, 3], 1)
    assert row["test_accuracy"] == [0.1, 0.2, 0.3]
    assert "seed" not in row["settings"]
    assert len(row["device"]) == len(row["versions"]) == 1


def test_the_work_of_a_run_is_that_of_all_its_images():
    """A dense layer of 49 by 10: forward and dW, two operations each; dx is not computed."""
    assert training_flops(SMALL, (28, 28, 1)) == 3 * 16 * 4 * 490
