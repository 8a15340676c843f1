"""However a preparation ends, the set is complete afterwards, or absent.

mnist_5k stands for every set: it needs no network, and is written and checked like the others.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data import find_prepared, load
from ffnn_jax.data.preparation import RECIPES, prepare, verify_prepared
from tests.systems import posix

POINTS = 10
SAMPLE = (8,)
EVERY_POINT = [
    point if point in SAMPLE else pytest.param(point, marks=pytest.mark.slow)
    for point in range(POINTS)
]
PREPARE = """
import sys
from ffnn_jax.cli import main
if room := int(sys.argv[1]):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
main(["data", "prepare", "mnist_5k"])
"""
READ = """
import sys
from ffnn_jax.data import load
print(load("mnist_5k", "test").sha256, *(m for m in ("jax", "tensorflow") if m in sys.modules))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "a folder"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return tmp_path / "a folder"


def start(program: str, *words: str) -> subprocess.Popen[str]:
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", program, *words], text=True, **pipes)


def started_preparation(room: int = 0) -> subprocess.Popen[str]:
    """A preparation that has started writing."""
    preparing = start(PREPARE, str(room))
    assert preparing.stderr is not None
    assert preparing.stderr.readline() == "writing mnist_5k/train ...\n"
    return preparing


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The duration of a preparation from its first message to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("whole")))
        preparing = started_preparation()
        started = time.monotonic()
        preparing.communicate()
    assert preparing.returncode == 0
    return time.monotonic() - started


def require_complete_or_absent(folder: Path) -> bool:
    """Whether the set is prepared; if so, it is verified."""
    prepared = find_prepared("mnist_5k", folder)
    return prepared is not None and verify_prepared(prepared)


def require_prepared(folder: Path) -> None:
    """Prepares the set, and checks that nothing is left of failed attempts."""
    prepare("mnist_5k", folder=folder)
    for split, recorded in RECIPES["mnist_5k"].sha256.items():
        assert load("mnist_5k", split, folder=folder).sha256 == recorded
    assert sorted(path.name for path in folder.iterdir()) == [".ffnn_jax", "mnist_5k"]
    assert [path.name for path in (folder / "mnist_5k").iterdir()] == ["1.0.0"]
    cached = [
        path.name for path in (folder / ".ffnn_jax").iterdir() if not path.name.endswith(".lock")
    ]
    splits = (f"mnist_5k-1.0.0-{split}-[0-9a-f]{{16}}" for split in ("test", "train", "validation"))
    assert len(cached) == 3
    for name, pattern in zip(sorted(cached), splits, strict=True):
        assert re.fullmatch(pattern, name)


@pytest.mark.parametrize("point", EVERY_POINT)
def test_a_killed_preparation_leaves_the_set_complete_or_absent(
    folder: Path, seconds: float, point: int
):
    preparing = started_preparation()
    time.sleep(seconds * (point + random.random()) / POINTS)
    preparing.kill()
    preparing.communicate()
    require_complete_or_absent(folder)
    require_prepared(folder)


@posix
@pytest.mark.parametrize("point", EVERY_POINT)
def test_an_interrupted_preparation_ends_cleanly(folder: Path, seconds: float, point: int):
    preparing = started_preparation()
    time.sleep(seconds * (point + random.random()) / POINTS)
    preparing.send_signal(signal.SIGINT)
    _, errors = preparing.communicate()
    if require_complete_or_absent(folder):  # it may have been finishing, or finished
        assert preparing.returncode in (130, 0, -signal.SIGINT)
    else:
        assert preparing.returncode == 130
        *progress, line = errors.splitlines()
        assert line == "ffnn-jax: interrupted"
        assert [words for words in progress if not words.endswith(" ...")] == []
    assert not list(folder.rglob("*.preparing"))
    assert not list(folder.rglob("*.writing"))
    require_prepared(folder)


@posix
@pytest.mark.parametrize(
    "room", [1000, *(pytest.param(room, marks=pytest.mark.slow) for room in (500_000, 2_000_000))]
)
def test_a_full_disk_ends_a_preparation_in_one_line(folder: Path, room: int):
    """The record files have at most 1.5 MB, the decoded images 2.8 MB."""
    preparing = start(PREPARE, str(room))
    output, errors = preparing.communicate(timeout=120)
    complete = require_complete_or_absent(folder)
    assert complete == (room >= 2_000_000)
    if complete:
        assert preparing.returncode == 0
        assert output.startswith("mnist_5k: verified, 2.2 MB in ")
    else:
        assert (preparing.returncode, output) == (2, "")
        *progress, line = errors.splitlines()
        assert [words for words in progress if not words.endswith(" ...")] == []
        assert line.startswith(f"ffnn-jax: mnist_5k cannot be prepared in {folder}: ")
        assert "File too large" in line
    assert not list(folder.rglob("*.preparing"))
    require_prepared(folder)


def error_line(folder: Path) -> str:
    with pytest.raises(UserError) as rejected:
        prepare("mnist_5k", folder=folder)
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


def test_a_folder_that_cannot_be_created_is_rejected_and_the_variable_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    line = error_line(tmp_path / "file" / "sets")
    assert line.startswith(f"mnist_5k cannot be prepared in {tmp_path / 'file' / 'sets'}: ")
    assert line.endswith("; TFDS_DATA_DIR and --data-dir name another folder")


@pytest.mark.parametrize("place", [".", ".ffnn_jax", "mnist_5k", ".ffnn_jax/mnist_5k.preparing"])
def test_a_file_in_the_way_is_rejected_and_left(folder: Path, place: str):
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text("mine")
    line = error_line(folder)
    assert line.startswith(f"mnist_5k cannot be prepared in {folder}: ")
    assert (folder / place).read_text() == "mine"
    assert (folder / place).is_file()


def test_an_unfinished_set_of_another_program_is_rejected_and_left(folder: Path):
    place = folder / "mnist_5k" / "1.0.0"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    assert error_line(folder) == f"{place} is not a finished data set; move it away"
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    assert not list(folder.rglob("*.preparing"))


def test_a_read_only_folder_is_rejected(folder: Path):
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    line = error_line(folder)
    assert line.startswith(f"mnist_5k cannot be prepared in {folder}: ")
    assert "Permission denied" in line


def test_two_concurrent_first_readers_succeed_without_jax_and_tensorflow(folder: Path):
    readers = [start(READ) for _ in range(2)]
    printed = [reader.communicate()[0].split() for reader in readers]
    assert printed == [[RECIPES["mnist_5k"].sha256["test"]]] * 2
    require_prepared(folder)


@pytest.mark.slow
def test_concurrent_preparations_wait_for_each_other(folder: Path):
    first = started_preparation()
    second = start(PREPARE, "0")
    for preparing in (first, second):
        output, _ = preparing.communicate()
        assert output == f"mnist_5k: verified, 2.2 MB in {folder / 'mnist_5k' / '1.0.0'}\n"
    require_prepared(folder)


@pytest.mark.slow
def test_a_waiting_preparation_takes_over_from_a_killed_one(folder: Path):
    first, second = started_preparation(), start(PREPARE, "0")
    assert second.stderr is not None
    while "mnist_5k" not in (line := second.stderr.readline()):
        assert line
    first.kill()
    first.communicate()
    assert second.communicate()[0].startswith("mnist_5k: verified, 2.2 MB in ")
    assert second.returncode == 0
    require_prepared(folder)


@posix
def test_a_signal_during_the_final_cleanup_does_not_leave_the_temporary_folder(tmp_path: Path):
    slow_removal = """
import shutil, sys, time
from pathlib import Path
from ffnn_jax.data.preparation import _prepare
remove = shutil.rmtree
def slow_rmtree(folder, ignore_errors):
    print("removing", flush=True)
    time.sleep(0.3)
    remove(folder, ignore_errors)
_prepare.shutil.rmtree = slow_rmtree
_prepare._remove(Path(sys.argv[1]))
"""
    folder = tmp_path / "mnist_5k.preparing"
    folder.mkdir()
    removing = start(slow_removal, str(folder))
    assert removing.stdout is not None
    assert removing.stdout.readline() == "removing\n"
    removing.send_signal(signal.SIGINT)
    _, errors = removing.communicate()
    assert errors.endswith("KeyboardInterrupt\n")
    assert not folder.exists()
