"""Which folders are students', what is read of them, and which chapters count."""

import os
from pathlib import Path

import pytest

from ffnn_jax._errors import UserError
from ffnn_jax.course._handed_in import chapters_that_count, students_in


def hand_in(folder: Path, *chapters: str) -> Path:
    (folder / "chapters").mkdir(parents=True)
    for name in chapters:
        (folder / "chapters" / f"{name}.py").write_text(name)
    return folder


def test_a_folder_of_folders_is_a_class(tmp_path: Path):
    hand_in(tmp_path / "class" / "anna", "dense")
    (tmp_path / "class" / "ben").mkdir()
    (tmp_path / "class" / ".hidden").mkdir()
    (tmp_path / "class" / "note.txt").touch()
    single = hand_in(tmp_path / "carl", "relu", "notes")
    found = students_in([tmp_path / "class", single, single])
    assert found == {"anna": {"dense": b"dense"}, "ben": {}, "carl": {"relu": b"relu"}}


def test_students_of_the_same_name_are_told_apart_by_their_paths(tmp_path: Path):
    folders = [hand_in(tmp_path / group / "anna", "dense") for group in "ab"]
    assert list(students_in(folders)) == list(map(str, folders))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_links_pipes_and_large_files_are_not_read(tmp_path: Path):
    chapters = hand_in(tmp_path / "anna") / "chapters"
    (chapters / "dense.py").symlink_to(__file__)
    (chapters / "add.py").symlink_to("nowhere")
    os.mkfifo(chapters / "relu.py")
    (chapters / "conv.py").write_bytes(bytes((1 << 20) + 1))
    (chapters / "pool.py").mkdir()
    names = "dense", "add", "relu", "conv", "pool"
    assert students_in([tmp_path / "anna"]) == {"anna": dict.fromkeys(names)}


def test_a_link_to_another_students_chapters_is_not_followed(tmp_path: Path):
    hand_in(tmp_path / "anna", "dense")
    (tmp_path / "ben").mkdir()
    (tmp_path / "ben" / "chapters").symlink_to(tmp_path / "anna" / "chapters")
    assert students_in([tmp_path / "ben"]) == {"ben": {}}


def test_half_of_those_with_chapters_decide_which_count():
    two = {"dense": b"", "relu": None}
    assert chapters_that_count((), [two, {"dense": b"", "conv": b""}, {}, {"dense": b""}]) == [
        "dense"
    ]
    assert chapters_that_count((), [two]) == ["dense", "relu"]
    assert chapters_that_count(("pool",), [two]) == ["pool"]


def test_what_cannot_be_graded_is_said_in_a_line(tmp_path: Path):
    with pytest.raises(UserError, match="no such folder"):
        students_in([tmp_path / "nobody"])
    with pytest.raises(UserError, match=r"no folder has chapters, as in FOLDER/chapters/dense\.py"):
        chapters_that_count((), [{}])
