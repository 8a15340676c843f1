"""Where one's own data is found, and how its decoded images are kept."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import UserError
from ffnn_jax.data import full_name, image_shape, is_own, load, split_names
from ffnn_jax.data.own import _pictures
from tests.data.own.pictures import numbered, write_classes


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


def test_a_folder_named_like_a_known_set_needs_a_dot(tmp_path: Path):
    write_classes(tmp_path / "mnist", {"cat": 3})
    assert not is_own("mnist")
    assert load("./mnist", "train").class_names == ("cat",)


def test_a_name_that_exists_here_and_is_not_prepared_is_a_path(tmp_path: Path):
    write_classes(tmp_path / "food101", {"soup": 3})
    assert full_name("food101") == str(tmp_path / "food101")
    assert full_name("cifar10") == "cifar10"
    assert load("food101", "train").source == str(tmp_path / "food101")
    assert image_shape("food101") == (4, 5, 3)
    assert split_names("food101") == ("train", "validation", "test")


def test_a_missing_path_is_said_with_the_nearest(tmp_path: Path):
    write_classes(tmp_path / "pictures", {"cat": 3})
    with pytest.raises(UserError, match=r"\./picture: no such file .*; did you mean pictures"):
        load("./picture", "train")


def test_what_is_decoded_once_is_read_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_classes(tmp_path / "set", {"cat": 5})
    before = sorted(path.name for path in (tmp_path / "set").rglob("*"))
    first = load("./set", "train")
    monkeypatch.setattr(_pictures, "read_picture", None)
    again = load("./set", "train")
    np.testing.assert_array_equal(again.images, first.images)
    assert again.remarks == first.remarks
    assert isinstance(again.images, np.memmap)
    assert sorted(path.name for path in (tmp_path / "set").rglob("*")) == before


def test_a_changed_file_is_decoded_again_and_the_old_entry_removed(tmp_path: Path, cache: Path):
    write_classes(tmp_path / "set", {"cat": 5})
    load("./set", "all")
    changed = tmp_path / "set" / "cat" / "0.png"
    Image.fromarray(numbered(77)).save(changed)
    os.utime(changed, ns=(0, 0))
    images = load("./set", "all").images
    assert sum((image == numbered(77)).all() for image in images) == 1
    assert len([entry for entry in cache.iterdir() if entry.name != ".lock"]) == 1


def test_pictures_without_a_sub_folder_are_said(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 3})
    with pytest.raises(UserError, match="its pictures must be in sub-folders, one for each class"):
        load("./set/cat", "train")


def test_progress_is_told_up_to_the_last_image(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 5})
    told = []
    load("./set", "train", on_progress=lambda *said: told.append(said))
    assert told[-1] == ("decoding set", 5, 5)
    assert told == sorted(told)


def test_of_large_pictures_few_are_decoded_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """So that a folder of photographs needs no more memory than a few of them."""
    monkeypatch.setattr(_pictures, "usable_cores", lambda: 1)
    (tmp_path / "set" / "cat").mkdir(parents=True)
    for number in range(8):
        pixels = np.full((2000, 3000, 3), number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / "cat" / f"{number}.bmp")
    told = []
    load("./set", "train", on_progress=lambda _, done, total: told.append(done))
    assert told == [1, 4, 7, 8]
    assert max(np.diff(told)) * 3000 * 2000 * 3 <= 64 << 20


def test_where_the_cache_cannot_be_written_it_is_decoded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_classes(tmp_path / "set", {"cat": 5})
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        "ffnn_jax.data.own._read.user_cache_path", lambda name: tmp_path / "file" / name
    )
    assert len(load("./set", "all")) == 5


@pytest.mark.parametrize("size", [0, -1, 5000, 2.0, True])
def test_a_size_that_is_none_is_said(tmp_path: Path, size):
    write_classes(tmp_path / "set", {"cat": 3})
    with pytest.raises(UserError, match=r"size must be from 1 to 4096, got"):
        load("./set", "train", size=size)


def test_a_size_is_not_for_a_prepared_set():
    with pytest.raises(UserError, match="size is for pictures of one's own; mnist has"):
        load("mnist", "train", size=32)
