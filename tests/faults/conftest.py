"""The fault suite: what may end a run or spoil its files, each tried many times.

``python -m pytest -m faults`` runs all of it, ``python -m experiments.faults`` counts it, too. In
the default run is a sample: the trials that are not marked slow.
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
    """Says in the results which line of the table the test is counted in."""
    marker = request.node.get_closest_marker("faults")
    record_property("fault", marker.args[0])


def trials(values: Sequence[Any], sample: int = 1) -> list[Any]:
    """Parameters of a test, of which the first few are in the default run."""
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=[] if index < sample else pytest.mark.slow,
        )
        for index, value in enumerate(values)
    ]


class Place:
    """A folder in which ``ffnn-jax`` runs as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cached_property
    def seconds(self) -> float:
        """From where the first checkpoint stands to the end of a run that nothing ends."""
        run = self.started(*TRAIN, "--run-dir", "straight")
        read_until(run, "compiling the training step")
        began = time.monotonic()
        _, complaints = run.communicate(timeout=120)
        assert (run.returncode, complaints) == (0, "")
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
        said, complaints = run.communicate(timeout=120)
        return run.returncode, said, complaints

    def result(self, name: str) -> tuple[str, str]:
        """The parameters' digest and the metrics of a run that has ended."""
        folder = self.folder / name
        result = json.loads((folder / "result.json").read_text())
        return result["parameters_sha256"][0], (folder / "metrics.jsonl").read_text()

    def goes_on_to_the_same_bits(self, name: str) -> None:
        """Resumes a run, and holds it against one that nothing has ended."""
        assert self.seconds
        code, said, complaints = self.finished("train", "--resume", name)
        assert (code, complaints) == (0, "")
        assert "going on   after step " in said
        assert self.result(name) == self.result("straight")
        assert not list((self.folder / name / "checkpoints").glob(".*"))


def read_until(run: subprocess.Popen[str], words: str) -> None:
    """Reads what a run prints up to these words."""
    assert run.stdout is not None
    for line in run.stdout:
        if words in line:
            return
    raise AssertionError(run.stderr.read() if run.stderr else "")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder of this process's own."""
    return Place(tmp_path_factory.mktemp("faults"))
