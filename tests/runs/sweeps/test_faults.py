"""Workers, the driver and the scheduler are killed: no seed is lost, and none is stored twice."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ffnn_jax.runs.sweeps import read_records
from tests.systems import linux

pytest.importorskip("distributed")
pytestmark = linux

PROGRAM = """
import dataclasses, sys
from pathlib import Path
from experiments._results import run_command
from ffnn_jax.runs import sweep
from tests.runs.sweeps.small import SMALL

def main(path: Path, seeds: int, steps: int = 3, scheduler: str | None = None) -> None:
    rows = {"a": SMALL, "b": dataclasses.replace(SMALL, learning_rate=0.05, steps=steps)}
    sweep(rows, range(seeds), path, scheduler=scheduler)

if __name__ == "__main__":
    run_command(main)
"""


@contextlib.contextmanager
def started(*words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def sweeping(folder: Path, seeds: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "program.py").write_text(PROGRAM)
    words = sys.executable, "program.py", "--path", "s.jsonl", "--seeds", str(seeds), *more
    with started(*words, folder=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(" seeds to train\n")
        yield process


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie
            found += [child] if "spawn_main" in " ".join(child.cmdline()) else []
    return found


def kill_a_worker(process: subprocess.Popen) -> None:
    """Kills one at a random moment, perhaps while it still starts."""
    while not (found := workers_of(process)):
        time.sleep(0.05)
    with contextlib.suppress(psutil.NoSuchProcess):
        random.choice(found).kill()


def stored(path: Path) -> dict[tuple[str, int], str]:
    """The digests of the parameters; ``read_records`` rejects a seed that is stored twice."""
    return {(one["row"], one["seed"]): one["parameters_sha256"] for one in read_records(path)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with sweeping(folder, 25) as process:
        _, errors = process.communicate(timeout=600)
        assert (process.returncode, errors) == (0, "")
    found = stored(folder / "s.jsonl")
    assert len(set(found.values())) == len(found) == 50
    return found


def assert_ends_like(process: subprocess.Popen, undisturbed: dict, folder: Path) -> None:
    _, errors = process.communicate(timeout=900)
    assert (process.returncode, errors) == (0, "")
    assert stored(folder / "s.jsonl") == undisturbed


@pytest.mark.slow
def test_twenty_kills_of_workers_lose_no_seed(tmp_path: Path, undisturbed: dict):
    with sweeping(tmp_path, 25) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()  # a seed is stored
            time.sleep(random.uniform(0, 1))
            kill_a_worker(process)
        assert_ends_like(process, undisturbed, tmp_path)


@pytest.mark.slow
def test_five_kills_of_the_driver_lose_no_seed_and_leave_no_worker(
    tmp_path: Path, undisturbed: dict
):
    for _ in range(5):
        with sweeping(tmp_path, 25) as process:
            assert process.stdout is not None
            for _ in range(random.randint(1, 5)):
                process.stdout.readline()
            workers = workers_of(process)
            assert workers
            process.kill()
        assert not psutil.wait_procs(workers, timeout=20)[1]
    with sweeping(tmp_path, 25) as process:
        assert_ends_like(process, undisturbed, tmp_path)


@pytest.mark.slow
def test_the_scheduler_is_killed_and_the_next_start_goes_on(tmp_path: Path, undisturbed: dict):
    with (
        cluster(tmp_path) as (scheduler, address),
        sweeping(tmp_path, 25, "--scheduler", address) as process,
    ):
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        scheduler.kill()
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1
        assert errors == "the scheduler has gone; the same command goes on\n"
    assert len(stored(tmp_path / "s.jsonl")) >= 5
    with (
        cluster(tmp_path) as (_, address),
        sweeping(tmp_path, 25, "--scheduler", address) as process,
    ):
        assert_ends_like(process, undisturbed, tmp_path)


@pytest.mark.slow
def test_an_interrupted_experiment_ends_at_once_with_one_line_and_keeps_stored_seeds(
    tmp_path: Path,
):
    with sweeping(tmp_path, 1, "--steps", str(10**6)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("a seed 0: test accuracy")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "interrupted; stored results are kept\n")
    assert list(stored(tmp_path / "s.jsonl")) == [("a", 0)]


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A scheduler and a worker, bound to one core, as a cluster has them."""
    dask = sys.executable, "-m", "dask"
    local = "--host", "127.0.0.1"
    with started(*dask, "scheduler", *local, "--port", "0", "--no-dashboard", folder=folder) as one:
        assert one.stderr is not None
        lines = iter(one.stderr.readline, "")
        address = next(found[0] for line in lines if (found := re.search(r"tcp://\S+", line)))
        words = "taskset", "-c", str(min(os.sched_getaffinity(0))), *dask, "worker", address
        options = "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *local
        with started(*words, *options, folder=folder):
            yield one, address
