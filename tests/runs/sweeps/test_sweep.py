"""Sweeps survive being stopped, and do not take seeds with other settings for finished."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from ffnn_jax.config import UserError
from ffnn_jax.nn import Dense, MaxPool
from ffnn_jax.runs.sweeps import append, read_records, run_seed, sweep
from tests.runs.sweeps.small import SMALL
from tests.systems import linux, posix

ENDLESS = """
import time
if __name__ == "__main__":
    pool = _pool(usable_cores()[:1])
    pool.submit(time.sleep, 0).result()
    (worker,) = pool._processes
    print(worker, flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of this program and the first line that it prints; it is killed at the end."""
    (folder / "program.py").write_text(program)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command, pipe = [sys.executable, "program.py"], subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield process, line
        finally:
            process.kill()


@linux
def test_workers_exit_with_a_killed_sweep(tmp_path: Path):
    with running(ENDLESS, tmp_path) as (_, line):
        worker = int(line)
    deadline = time.monotonic() + 30
    while _is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(worker)


INTERRUPTED = """
import dataclasses, sys
from pathlib import Path
from experiments._results import run_command
from experiments._quick import quick_settings
from ffnn_jax.config import preset

def main() -> None:
    long = dataclasses.replace(quick_settings(preset("mnist")), steps=10**6)
    quick = quick_settings(preset("mnist"))
    sweep({"quick": quick, "long": long}, [0], Path("some.jsonl"))

if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    run_command(main)
"""


def test_a_sweep_without_seeds_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match="seeds must be at least 1"):
        sweep({"a": SMALL}, range(0), tmp_path / "s.jsonl")


@posix
def test_an_interrupted_sweep_exits_at_once_with_one_line_and_keeps_stored_seeds(tmp_path: Path):
    with running(INTERRUPTED, tmp_path) as (sweep_process, line):
        assert line.startswith("quick seed 0: test accuracy")
        sweep_process.send_signal(signal.SIGINT)
        _, errors = sweep_process.communicate(timeout=30)
    assert sweep_process.returncode == 130
    assert errors.splitlines()[0] == "interrupted; stored results are kept"
    assert "Traceback" not in errors
    assert [record["row"] for record in read_records(tmp_path / "some.jsonl")] == ["quick"]


def _is_running(process: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        return state != "Z"
    return False


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


def test_seeds_finished_before_a_failure_are_stored(tmp_path: Path):
    """The second row cannot be trained: its images are too small for its pooling."""
    path = tmp_path / "some.jsonl"
    bad = dataclasses.replace(SMALL, layers=(MaxPool(99), Dense(10)))
    with pytest.raises(UserError, match="the window is larger"):
        sweep({"good": SMALL, "bad": bad}, [0], path)
    with contextlib.suppress(UserError):
        sweep({"good": SMALL, "bad": bad}, [0], path)
    assert {record["row"] for record in read_records(path)} <= {"good"}
