"""Folders with odd names, folders that cannot be written to, and odd terminals."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import trials

SHORT = ("train", "--steps", "3")
ODD = [
    "a folder with spaces",
    "zażółć-数字-é",
    "-dash",
    "$HOME'\"",
    "deep/er/than/there/is",
    "a[/b]",
]


def run(folder: Path, *words: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "TFDS_DATA_DIR": str(folder / "data"), **environment}
    return subprocess.run(
        [sys.executable, "-m", "ffnn_jax", *words], cwd=folder, check=False, timeout=120,
        capture_output=True, text=True, env={k: v for k, v in settings.items() if v is not None},
    )  # fmt: skip


@pytest.mark.faults("an unusual folder or terminal")
@pytest.mark.parametrize("name", trials(ODD, 0))
def test_a_folder_may_have_any_name(tmp_path: Path, name: str):
    assert run(tmp_path, *SHORT, f"--run-dir={name}").returncode == 0
    assert (tmp_path / name / "page.html").exists()
    assert run(tmp_path, "train", f"--resume={name}", "--steps", "5").returncode == 0


@pytest.mark.faults("an unusual folder or terminal")
@pytest.mark.parametrize("name", trials(["file", "file/below", "x" * 300, f"{os.devnull}/run"]))
def test_a_path_that_cannot_be_a_folder_is_rejected(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("mine")
    finished = run(tmp_path, *SHORT, "--run-dir", name)
    assert (finished.returncode, finished.stderr.count("\n")) == (2, 1)
    assert "run-dir" in finished.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.faults("an unusual folder or terminal")
def test_a_closed_pipe_gives_no_traceback(tmp_path: Path):
    started = subprocess.Popen(
        [sys.executable, "-u", "-m", "ffnn_jax", *SHORT], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert started.stdout is not None
    started.stdout.readline()
    started.stdout.close()
    assert started.stderr is not None
    errors = started.stderr.read()
    started.wait(timeout=60)
    started.stderr.close()
    assert "Traceback" not in errors
    assert errors.count("\n") <= 1


@pytest.mark.slow
@pytest.mark.faults("an unusual folder or terminal")
@pytest.mark.parametrize(
    "environment",
    [{"NO_COLOR": "1"}, {"HOME": None}, {"HOME": "/nonexistent"}, {"TERM": "dumb"},
     {"COLUMNS": "40"}, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=str,
)  # fmt: skip
def test_an_odd_environment_does_not_matter(tmp_path: Path, environment: dict[str, str | None]):
    finished = run(tmp_path, *SHORT, "--run-dir", "run", **environment)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "\x1b[" not in finished.stdout
