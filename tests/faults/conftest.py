"""The fault suite: events that may end a run or damage its files, each tried many times.

``python -m pytest -m faults`` runs all of it, and ``python -m experiments.faults`` also counts the
trials. The default test run has a sample of them: the trials that are not marked slow.
"""

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

INJECTED = Path(__file__).with_name("injected.py")
TRAIN = ("train", "--steps", "1500", "--batch-size", "4", "--checkpoint-every", "100")


@pytest.fixture(autouse=True)
def _counted(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """Records in the results which row of the table the test counts towards."""
    marker = request.node.get_closest_marker("faults")
    record_property("fault", marker.args[0])


def trials(values: Sequence[Any], sample: int = 1) -> list[Any]:
    """Parameters of a test; the first few are part of the default test run."""
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=[] if index < sample else pytest.mark.slow,
        )
        for index, value in enumerate(values)
    ]


class Place:
    """A folder in which ``ffnn-jax`` is run in subprocesses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cached_property
    def seconds(self) -> float:
        """Time of an uninterrupted run from its first checkpoint to its end."""
        run = self.started(*TRAIN, "--run-dir", "uninterrupted")
        read_until(run, "compiling the training step")
        began = time.monotonic()
        _, errors = run.communicate(timeout=120)
        assert (run.returncode, errors) == (0, "")
        return time.monotonic() - began

    def started(self, *words: str, injected: Sequence[str] = ()) -> subprocess.Popen[str]:
        program = [str(INJECTED), *injected] if injected else ["-m", "ffnn_jax"]
        return subprocess.Popen(
            [sys.executable, "-u", *program, *words], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"TFDS_DATA_DIR": str(self.folder / "data")},
        )  # fmt: skip

    def finished(self, *words: str, injected: Sequence[str] = ()) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        run = self.started(*words, injected=injected)
        output, errors = run.communicate(timeout=120)
        return run.returncode, output, errors

    def result(self, name: str) -> tuple[str, str]:
        """The parameters' digest and the metrics of a finished run."""
        folder = self.folder / name
        result = json.loads((folder / "result.json").read_text())
        return result["parameters_sha256"][0], (folder / "metrics.jsonl").read_text()

    def assert_resumes_to_the_same_bits(self, name: str) -> None:
        """Resumes a run, and compares it with an uninterrupted one."""
        assert self.seconds
        code, output, errors = self.finished("train", "--resume", name)
        assert (code, errors) == (0, "")
        assert "resuming   after step " in output
        assert self.result(name) == self.result("uninterrupted")
        assert not list((self.folder / name / "checkpoints").glob(".*"))


def read_until(run: subprocess.Popen[str], words: str) -> None:
    """Reads a run's output up to these words."""
    assert run.stdout is not None
    for line in run.stdout:
        if words in line:
            return
    raise AssertionError(run.stderr.read() if run.stderr else "")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder for this process."""
    return Place(tmp_path_factory.mktemp("faults"))
