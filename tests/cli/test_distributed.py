"""``train --distributed`` with two processes on this machine, and what may end one of them."""

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import psutil
import pytest

from ffnn_jax.models import load
from tests.cli.conftest import code_of, in_a_process
from tests.systems import posix
from tests.tolerances import tolerance

pytestmark = posix
SMALL = (
    "course", "--layers", "maxpool 4, dense 10", "--schedule", "constant",
    "--learning-rate", "0.01", "--checkpoint-every", "50",
)  # fmt: skip
NEVER_ENDING = (*SMALL, "--steps", "2000000")


@dataclasses.dataclass
class Pair:
    """Two processes of one run, which write what they print to files."""

    folder: Path
    address: str
    processes: list[subprocess.Popen[str]]

    def printed(self, index: int, stream: str = "errors") -> str:
        text = (self.folder / f"{stream}-{index}").read_text()
        return text.replace(f"waiting for 2 processes at {self.address} (up to 300 s) ...\n", "")

    def wait_until(self, words: str) -> None:
        deadline = time.monotonic() + 120
        while words not in self.printed(0, "output"):
            assert time.monotonic() < deadline
            assert self.processes[0].poll() is None, self.printed(0)
            time.sleep(0.05)

    def worker(self, index: int) -> psutil.Process:
        """The process that is watched."""
        (worker,) = psutil.Process(self.processes[index].pid).children()
        return worker

    def ended(self) -> list[tuple[int, str]]:
        """Exit code and standard error of each process."""
        codes = [process.wait(timeout=120) for process in self.processes]
        return [(code, self.printed(index)) for index, code in enumerate(codes)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def pair(tmp_path: Path):
    """Starts two processes; with other words and another working folder for the second one."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *words: str, other: tuple[str, ...] = (), folders: tuple[str, str] = ("", "")
    ) -> Pair:
        address = f"127.0.0.1:{free_port()}"
        for index in (0, 1):
            own = *words, *(other if index else ()), "--distributed", f"{address},2,{index}"
            with (
                (tmp_path / f"output-{index}").open("w") as output,
                (tmp_path / f"errors-{index}").open("w") as errors,
            ):
                started.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "ffnn_jax", "train", *own], text=True,
                        cwd=tmp_path / folders[index], stdout=output, stderr=errors,
                        env=os.environ | {"TMPDIR": str(tmp_path)},
                    )
                )  # fmt: skip
        return Pair(tmp_path, address, started[-2:])

    yield start
    for process in started:
        process.kill()


def result(folder: Path) -> tuple[str, list[dict[str, object]]]:
    """The parameters' digest and the metrics of a finished run."""
    digest = json.loads((folder / "result.json").read_text())["parameters_sha256"][0]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return digest, [json.loads(line) for line in lines]


def require_same_up_to_rounding(folders: tuple[Path, Path]) -> None:
    """Sums over shards are rounded in another order than those over a whole batch."""
    allowed = tolerance("float32", 64 * 100)
    ours, theirs = (load(folder / "model.npz").params for folder in folders)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=allowed, atol=allowed)
    ours, theirs = (result(folder)[1] for folder in folders)
    for record, other in zip(ours, theirs, strict=True):
        assert record == pytest.approx(other, rel=allowed, abs=allowed)


def test_sigterm_to_one_saves_once_and_ends_both_at_the_same_step(pair, tmp_path: Path):
    two = pair(*NEVER_ENDING, "--run-dir", "run")
    two.wait_until("training loss")
    two.processes[1].send_signal(signal.SIGTERM)
    ends = two.ended()
    assert [code for code, _ in ends] == [143] * 2
    resume = f"ffnn-jax train --resume run --distributed {two.address},2,"
    line = rf"ffnn-jax: saved at step ([\d,]+); resume with: {re.escape(resume)}"
    steps = [re.fullmatch(rf"{line}{k}\n", errors) for k, (_, errors) in enumerate(ends)]
    assert steps[0] and steps[1] and steps[0][1] == steps[1][1]
    step = int(steps[0][1].replace(",", ""))
    assert (tmp_path / "run" / "checkpoints" / f"step-{step:010}.npz").is_file()
    assert two.printed(1, "output") == ""
    assert not list(tmp_path.glob("ffnn-jax-*.log"))


@pytest.mark.slow
@pytest.mark.parametrize("resumed_with", [1, 2])
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_other_and_the_run_resumes_to_the_same_parameters(
    pair, tmp_path: Path, killed: int, resumed_with: int
):
    two = pair(*NEVER_ENDING, "--run-dir", "run")
    two.wait_until("training loss")
    two.worker(killed).kill()
    ends = two.ended()
    hint = f"resume with: ffnn-jax train --resume run --distributed {two.address},2,"
    code, line = ends[killed]
    assert code == 1
    start = f"ffnn-jax: process {killed} was ended by SIGKILL, as when memory runs out; {hint}"
    assert re.fullmatch(rf"{re.escape(start)}{killed} \(\S+\.log\)\n", line)
    code, line = ends[1 - killed]
    assert code == 4
    assert line.startswith(f"ffnn-jax: process {1 - killed}: a peer was lost (")
    assert f"; {hint}{1 - killed}" in line
    assert line.count("\n") == 1

    done = max(int(path.stem[5:]) for path in (tmp_path / "run" / "checkpoints").glob("step-*"))
    steps = "--steps", str(done + 100)
    assert pair(*SMALL, *steps, "--run-dir", "undisturbed").ended() == [(0, "")] * 2
    resume = "--resume", "run", *steps
    folders = tmp_path / "run", tmp_path / "undisturbed"
    if resumed_with == 2:
        assert pair(*resume).ended() == [(0, "")] * 2
        assert result(folders[0]) == result(folders[1])
    else:
        assert in_a_process(tmp_path, "train", *resume).returncode == 0
        require_same_up_to_rounding(folders)


@pytest.mark.slow
def test_the_watching_process_takes_the_watched_one_with_it(pair):
    two = pair(*NEVER_ENDING, "--run-dir", "run")
    two.wait_until("training loss")
    worker = two.worker(1)
    two.processes[1].kill()
    assert not psutil.wait_procs([worker], timeout=20)[1]
    (code, line), _ = two.ended()
    assert (code, line.count("\n")) == (4, 1)


@pytest.mark.slow
def test_a_whole_run_of_two_is_that_of_one(pair, tmp_path: Path):
    words = *SMALL, "--steps", "120", "--run-dir"
    two = pair(*words, "two")
    assert two.ended() == [(0, "")] * 2
    assert "test accuracy" in two.printed(0, "output")
    assert two.printed(1, "output") == ""
    assert ", 2 devices, 2 used, in 2 processes, " in " ".join(two.printed(0, "output").split())
    assert in_a_process(tmp_path, "train", *words, "one").returncode == 0
    require_same_up_to_rounding((tmp_path / "two", tmp_path / "one"))


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_a_process_that_never_comes_is_one_line(index: int, tmp_path: Path):
    address = f"127.0.0.1:{free_port()}"
    words = "train", *SMALL, "--distributed", f"{address},2,{index}"
    ran = in_a_process(tmp_path, *words, FFNN_JAX_PEER_SECONDS="5")
    expected = f"1 of 2 processes came to {address}"
    if index == 1:
        expected = f"process 1: process 0 did not answer at {address}"
    assert ran.stderr.splitlines()[-1] == f"ffnn-jax: {expected} within 5 s"
    assert (ran.returncode, len(ran.stderr.splitlines())) == (4, 2 - index)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("what", ["setting", "data"])
def test_different_processes_end_before_anything_is_written(what: str, pair, tmp_path: Path):
    folders, other = ("first", "second"), ()
    for index, name in enumerate(folders):
        (tmp_path / name).mkdir()
        pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8), np.uint8)
        pixels[0, 0, 0] += index if what == "data" else 0
        np.savez(tmp_path / name / "own.npz", images=pixels, labels=np.arange(60) % 3)
    if what == "setting":
        other = "--momentum", "0.5"
    words = "course", "--layers", "maxpool 4, dense 3", "--dataset", "own.npz", "--steps", "9"
    two = pair(*words, other=other, folders=folders)
    ends = two.ended()
    assert [code for code, _ in ends] == [2, 2]
    assert ends[0][1].removeprefix("decoding own.npz ...\n") == ends[1][1]
    named = "momentum is 0.9 in process 0, 0.5" if what == "setting" else "data own.npz/train is "
    assert ends[1][1].startswith(f"ffnn-jax: the processes of a run must be alike: {named}")
    assert [len(list((tmp_path / name).iterdir())) for name in folders] == [1, 1]


@pytest.mark.slow
def test_slurm_is_detected(tmp_path: Path):
    """Its variables say who comes; the job's number gives the port."""
    job = {
        "SLURM_JOB_ID": str(free_port()), "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
    }  # fmt: skip
    words = *SMALL, "--steps", "20", "--run-dir", "run", "--distributed", "auto"
    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "ffnn_jax", "train", *words], cwd=tmp_path,
            env=os.environ | job | {"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
        )
        for task in (0, 1)
    ]  # fmt: skip
    assert [task.wait(timeout=120) for task in tasks] == [0, 0]
    assert (tmp_path / "run" / "result.json").is_file()


def test_outside_a_cluster_auto_says_what_to_give(tmp_path: Path):
    ran = in_a_process(tmp_path, "train", "--distributed", "auto")
    assert ran.returncode == 2
    assert "; give HOST:PORT,COUNT,INDEX or set JAX_COORDINATOR_ADDRESS, " in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_port_in_use_is_named(tmp_path: Path):
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        ran = in_a_process(tmp_path, "train", "--distributed", f"127.0.0.1:{port},2,0")
    expected = f"ffnn-jax: distributed: PORT {port} cannot be used: Address already in use\n"
    assert (ran.returncode, ran.stderr) == (2, expected)


def test_errors_of_the_command_line_come_at_once(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("ffnn_jax._watch.watch", lambda words: pytest.fail("it was started"))
    assert code_of("train", "--distributed", "node1:1234,2,2") == 2
    assert code_of("train", "--seeds", "2", "--distributed", "auto") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(", ")[0] for line in lines] == [
        "ffnn-jax: distributed: INDEX must be from 0 to 1",
        "ffnn-jax: seeds must be 1 with --distributed",
    ]


def test_a_run_that_this_host_cannot_read_is_named(tmp_path: Path, capsys):
    assert code_of("train", "--resume", tmp_path / "run", "--distributed", "auto") == 2
    assert "(no checkpoints on this host)" in capsys.readouterr().err
