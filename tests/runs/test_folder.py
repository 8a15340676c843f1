"""Run folders: numbered from 1, and never an existing one."""

import errno
from pathlib import Path

import pytest

from ffnn_jax.config import UserError
from ffnn_jax.runs import locked, new_run_folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_are_numbered_1_2_3(here: Path):
    folders = [new_run_folder("mnist") for _ in range(3)]
    assert folders == [Path("runs") / f"mnist-{number}" for number in (1, 2, 3)]
    assert all((here / folder).is_dir() for folder in folders)


def test_a_number_is_one_above_the_highest_even_with_gaps(here: Path):
    for name in ("mnist-2", "mnist-10", "mnist-x", "mnist-5k-40", "other-77"):
        (here / "runs" / name).mkdir(parents=True)
    assert new_run_folder("mnist") == Path("runs/mnist-11")


def test_a_file_counts_as_a_used_number(here: Path):
    (here / "runs").mkdir()
    (here / "runs" / "mnist-1").write_text("")
    assert new_run_folder("mnist") == Path("runs/mnist-2")


def test_each_preset_has_its_own_numbers():
    new_run_folder("mnist")
    assert new_run_folder("quickstart") == Path("runs/quickstart-1")


def test_a_number_taken_meanwhile_by_another_run_is_skipped(
    here: Path, monkeypatch: pytest.MonkeyPatch
):
    (here / "runs" / "mnist-1").mkdir(parents=True)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    assert new_run_folder("mnist") == Path("runs/mnist-2")


def test_an_explicit_folder_is_created_with_its_parents(here: Path):
    assert new_run_folder("mnist", Path("a/b/c")) == Path("a/b/c")
    assert (here / "a/b/c").is_dir()
    assert not (here / "runs").exists()


def test_an_explicit_folder_that_exists_is_rejected(here: Path):
    (here / "mine").mkdir()
    with pytest.raises(UserError, match=r"^run-dir must not exist yet, mine does$"):
        new_run_folder("mnist", Path("mine"))


@pytest.mark.parametrize("explicit", [None, Path("runs/mine")])
def test_a_file_in_the_way_is_rejected(here: Path, explicit: Path | None):
    (here / "runs").write_text("mine")
    with pytest.raises(UserError, match=r"^run-dir cannot be created: .*'runs[^\n]*$"):
        new_run_folder("mnist", explicit)
    assert (here / "runs").read_text() == "mine"


def test_a_full_disk_is_named_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    line = r"owner\.json cannot be written: No space left on device"
    with pytest.raises(OSError, match=line), locked(tmp_path):
        pass
