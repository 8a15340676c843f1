"""Which sets are found in a folder."""

import json
from pathlib import Path

import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data import data_dir, find_prepared, load, prepared_names, split_names
from tests.data.conftest import toys, write_set


def describe(folder: Path, place: str, text: str | None = None) -> Path:
    """Writes the description of a prepared set."""
    about = {"splits": [{"name": "train", "shardLengths": ["3", "4"]}], "fileFormat": "riegeli"}
    (folder / place).mkdir(parents=True)
    (folder / place / "dataset_info.json").write_text(json.dumps(about) if text is None else text)
    return folder / place


def test_a_prepared_set_matches_the_files_of_tensorflow_datasets(tmp_path: Path):
    place = write_set(tmp_path, {"train": toys(5), "test": toys(2)}, shards=2)
    found = find_prepared("toy", tmp_path)
    assert found is not None
    assert found == ("toy", "1.0.0", place, "array_record", {"train": (2, 3), "test": (1, 1)})
    assert found.size == sum(path.stat().st_size for path in place.iterdir())
    assert place == tmp_path / "toy" / "1.0.0"


def test_the_highest_version_is_found_by_number(tmp_path: Path):
    for version in ("3.0.9", "3.0.10", "2.11.12"):
        describe(tmp_path, f"digits/{version}")
    found = find_prepared("digits", tmp_path)
    assert found is not None
    assert found.version == "3.0.10"
    assert prepared_names(tmp_path) == ["digits"]


@pytest.mark.parametrize(
    "place", ["digits/3.0.1.incompleteABC", "digits/3.0", "digits/config/latest", ".digits/3.0.1"]
)
def test_an_incomplete_or_hidden_folder_is_ignored(tmp_path: Path, place: str):
    describe(tmp_path, place)
    assert prepared_names(tmp_path) == []
    assert find_prepared("digits", tmp_path) is None


def test_a_folder_without_a_description_is_ignored(tmp_path: Path):
    place = write_set(tmp_path, {"train": toys(3)})
    (place / "dataset_info.json").unlink()
    assert prepared_names(tmp_path) == []
    with pytest.raises(UserError, match="unknown data set 'toy'"):
        load("toy", "train", folder=tmp_path)


def test_an_incomplete_newer_version_does_not_hide_the_finished_one(tmp_path: Path):
    describe(tmp_path, "digits/3.0.1")
    describe(tmp_path, "digits/3.0.2.incompleteXYZ")
    (tmp_path / "digits" / "3.0.3").mkdir()
    found = find_prepared("digits", tmp_path)
    assert found is not None
    assert found.version == "3.0.1"


def test_a_single_configuration_is_found_by_its_full_and_its_bare_name(tmp_path: Path):
    write_set(tmp_path, {"train": toys(3)}, config="big")
    assert prepared_names(tmp_path) == ["toy/big"]
    assert find_prepared("toy", tmp_path) == find_prepared("toy/big", tmp_path) is not None
    assert load("toy", "train", folder=tmp_path).source == "toy/big/1.0.0"
    assert load("toy/big", "train", folder=tmp_path).name == "toy/big/train"


def test_one_of_several_configurations_must_be_named(tmp_path: Path):
    for config in ("small", "big"):
        write_set(tmp_path, {"train": toys(3)}, config=config)
    line = "^toy has several configurations, choose one: toy/big, toy/small$"
    with pytest.raises(UserError, match=line):
        split_names("toy", tmp_path)
    assert split_names("toy/small", tmp_path) == ("train",)


def test_a_set_takes_precedence_over_its_configurations(tmp_path: Path):
    for place in ("digits/1.0.0", "digits/big/2.0.0", "digits/small/2.0.0"):
        describe(tmp_path, place)
    found = find_prepared("digits", tmp_path)
    assert found is not None
    assert (found.name, found.version) == ("digits", "1.0.0")
    assert prepared_names(tmp_path) == ["digits", "digits/big", "digits/small"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"splits": 3}', '{"splits": [{"name": "a", "shardLengths": "x"}]}'],
)
def test_a_damaged_description_is_rejected_with_its_file(tmp_path: Path, text: str):
    place = describe(tmp_path, "digits/3.0.1", text)
    with pytest.raises(UserError) as rejected:
        find_prepared("digits", tmp_path)
    assert str(rejected.value).startswith(f"{place / 'dataset_info.json'}: damaged (")
    assert "\n" not in str(rejected.value)


def test_a_description_that_is_not_text_is_rejected_with_its_file(tmp_path: Path):
    place = describe(tmp_path, "digits/3.0.1")
    (place / "dataset_info.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"dataset_info.json: damaged"):
        find_prepared("digits", tmp_path)


def test_a_missing_folder_holds_no_sets(tmp_path: Path):
    assert prepared_names(tmp_path / "none") == []
    assert find_prepared("toy", tmp_path / "none") is None


def test_the_data_folder_is_that_of_tensorflow_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    assert data_dir() == tmp_path / "tensorflow_datasets"
    monkeypatch.setenv("TFDS_DATA_DIR", "")
    assert data_dir() == tmp_path / "tensorflow_datasets"
    monkeypatch.setenv("TFDS_DATA_DIR", "~/mine")
    assert data_dir() == tmp_path / "mine"
    write_set(tmp_path / "mine", {"train": toys(3)})
    assert len(load("toy", "train")) == 3
