"""Which sets can be read; errors are one line, with file and index."""

import json
import random
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from ffnn_jax.config import UserError
from ffnn_jax.data import find_prepared, load
from ffnn_jax.data._decode import Reader
from tests.data.conftest import NAMES, Examples, noise, png, toys, write_set

IMAGE, LABEL = tfds.features.Image(shape=(4, 4, 1)), tfds.features.ClassLabel(names=NAMES)
COARSE = tfds.features.ClassLabel(num_classes=2)


def rows(**values: Callable[[int], Any]) -> Examples:
    """Ten examples; each feature is a function of the example's index."""
    return [{key: value(row) for key, value in values.items()} for row in range(10)]


def image(row: int) -> bytes:
    return png(noise(10)[row])


def error_line(folder: Path, split: str = "train") -> str:
    with pytest.raises(UserError) as rejected:
        load("toy", split, folder=folder)
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


def record_file(place: Path, shard: int = 0, shards: int = 1) -> Path:
    return place / f"toy-train.array_record-{shard:05d}-of-{shards:05d}"


def test_the_image_and_the_label_may_have_any_name(tmp_path: Path):
    examples = rows(picture=image, species=lambda row: row % 3, weight=lambda row: row / 2)
    features = {"picture": IMAGE, "species": LABEL, "weight": tfds.features.Scalar(np.float32)}
    write_set(tmp_path, {"train": examples}, features)
    train = load("toy", "train", folder=tmp_path)
    assert np.array_equal(train.images, noise(10))
    assert train.labels.tolist() == [row % 3 for row in range(10)]
    assert train.class_names == NAMES


def test_classes_without_names_are_named_by_their_numbers(tmp_path: Path):
    write_set(
        tmp_path,
        {"train": toys(10)},
        {"image": IMAGE, "label": tfds.features.ClassLabel(num_classes=3)},
    )
    assert load("toy", "train", folder=tmp_path).class_names == ("0", "1", "2")


@pytest.mark.parametrize("shape", [(4, 4, 1), (5, 3, 3), (1, 1, 1), (28, 28, 3), (4, 6, 4)])
def test_images_may_have_any_shape(tmp_path: Path, shape: tuple[int, int, int]):
    features = {"image": tfds.features.Image(shape=shape), "label": LABEL}
    write_set(tmp_path, {"train": toys(10, shape)}, features)
    assert np.array_equal(load("toy", "train", folder=tmp_path).images, noise(10, shape))


@pytest.mark.parametrize(("key", "classes"), [("coarse", 2), ("fine", 3)])
def test_supervised_keys_choose_between_two_labels(tmp_path: Path, key: str, classes: int):
    features = {"image": IMAGE, "coarse": COARSE, "fine": LABEL}
    examples = rows(image=image, coarse=lambda row: row % 2, fine=lambda row: row % 3)
    write_set(tmp_path, {"train": examples}, features, supervised_keys=("image", key))
    train = load("toy", "train", folder=tmp_path)
    assert train.labels.tolist() == [row % classes for row in range(10)]
    assert len(train.class_names) == classes


def test_supervised_keys_choose_between_two_images(tmp_path: Path):
    examples = rows(before=image, after=lambda row: image(9 - row), label=lambda row: 0)
    features = {"before": IMAGE, "after": IMAGE, "label": LABEL}
    write_set(tmp_path, {"train": examples}, features, supervised_keys=("after", "label"))
    assert np.array_equal(load("toy", "train", folder=tmp_path).images, noise(10)[::-1])


@pytest.mark.parametrize(
    "keys", [("image", "label", "image"), (("image",), "label"), ({"x": "image"}, "label")]
)
def test_unusual_supervised_keys_do_not_hide_a_single_image_and_label(tmp_path: Path, keys: Any):
    write_set(tmp_path, {"train": toys(10)}, supervised_keys=keys)
    assert np.array_equal(load("toy", "train", folder=tmp_path).images, noise(10))


@pytest.mark.parametrize(
    ("features", "examples", "expected"),
    [
        (
            {"one": IMAGE, "two": IMAGE, "label": LABEL},
            rows(one=image, two=image, label=lambda row: 0),
            {"one (Image)", "two (Image)", "label (ClassLabel)"},
        ),
        (
            {"image": IMAGE, "coarse": COARSE, "fine": LABEL},
            rows(image=image, coarse=lambda row: 0, fine=lambda row: 0),
            {"image (Image)", "coarse (ClassLabel)", "fine (ClassLabel)"},
        ),
        ({"image": IMAGE}, rows(image=image), {"image (Image)"}),
        (
            {"image": IMAGE, "label": tfds.features.Scalar(np.int64)},
            rows(image=image, label=lambda row: 0),
            {"image (Image)", "label (Scalar)"},
        ),
        ({"label": LABEL}, rows(label=lambda row: 0), {"label (ClassLabel)"}),
    ],
    ids=["two images", "two labels", "no label", "a number", "no image"],
)
def test_a_set_of_anything_but_labelled_images_is_rejected_with_its_features(
    tmp_path: Path, features: Mapping[str, Any], examples: Examples, expected: set[str]
):
    write_set(tmp_path, {"train": examples}, features)
    problem, _, actual = error_line(tmp_path).partition(", has ")
    assert problem == "toy: must have one image and one class label"
    assert set(actual.split(", ")) == expected


@pytest.mark.parametrize(
    ("feature", "actual"),
    [
        (tfds.features.Image(shape=(None, None, 1)), "uint8 (None, None, 1)"),
        (tfds.features.Image(shape=(4, None, 1)), "uint8 (4, None, 1)"),
        (tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16), "uint16 (4, 4, 1)"),
    ],
)
def test_images_of_several_sizes_or_of_another_dtype_are_rejected(
    tmp_path: Path, feature: Any, actual: str
):
    write_set(tmp_path, {"train": toys(10)}, {"image": feature, "label": LABEL})
    line = f"toy: images must be uint8 of one fixed size, got {actual}"
    assert error_line(tmp_path) == line


def test_an_image_of_another_size_is_rejected_with_file_and_index(tmp_path: Path):
    odd = {"image": png(noise(1, (5, 4, 1))[0]), "label": 1}
    place = write_set(tmp_path, {"train": [*toys(6), odd, *toys(3)]})
    problem = "has an image of uint8 (5, 4, 1), expected uint8 (4, 4, 1)"
    assert error_line(tmp_path) == f"{record_file(place)}: example 6 {problem}"


@pytest.mark.parametrize("content", [b"", b"not an image", image(0)[:-30]])
def test_bytes_that_are_not_an_image_are_rejected_with_file_and_index(
    tmp_path: Path, content: bytes
):
    odd = {"image": content, "label": 1}
    place = write_set(tmp_path, {"train": [*toys(6), odd, *toys(3)]})
    assert error_line(tmp_path).startswith(f"{record_file(place)}: example 6 is damaged (")


def test_a_label_outside_the_classes_is_rejected_with_file_and_index(tmp_path: Path):
    """The records of a set with five classes replace those of a set with three."""
    wide = write_set(tmp_path / "wide", {"train": toys(10, classes=5)}, {
        "image": IMAGE, "label": tfds.features.ClassLabel(num_classes=5)
    })  # fmt: skip
    place = write_set(tmp_path, {"train": toys(10)})
    record_file(wide).replace(record_file(place))
    line = f"{record_file(place)}: example 3 has the label 3, not one of 0 to 2"
    assert error_line(tmp_path) == line


def test_the_index_of_an_example_is_relative_to_its_file(tmp_path: Path):
    odd = {"image": png(noise(1, (5, 4, 1))[0]), "label": 1}
    place = write_set(tmp_path, {"train": [*toys(8), odd, odd]}, shards=3)
    lengths = json.loads((place / "dataset_info.json").read_text())["splits"][0]["shardLengths"]
    assert lengths == ["3", "4", "3"]
    assert error_line(tmp_path).startswith(f"{record_file(place, 2, 3)}: example 1 has an image")


def test_the_index_is_right_after_the_first_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ffnn_jax.data._decode._BLOCK", 4)
    odd = {"image": png(noise(1, (5, 4, 1))[0]), "label": 1}
    bad = {"image": b"not an image", "label": 1}
    place = write_set(tmp_path / "odd", {"train": [*toys(7), odd]})
    assert error_line(tmp_path / "odd").startswith(f"{record_file(place)}: example 7 has an image")
    place = write_set(tmp_path / "bad", {"train": [*toys(7), bad]})
    assert error_line(tmp_path / "bad").startswith(f"{record_file(place)}: example 7 is damaged")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("count", [9, 11, 1000000])
def test_a_wrong_count_is_rejected_with_both_counts(tmp_path: Path, count: int):
    place = write_set(tmp_path, {"train": toys(10)})
    edit(place / "dataset_info.json", '"10"', f'"{count}"')
    problem = f"holds 10 examples, but 1.0.0/dataset_info.json lists {count:,}"
    assert error_line(tmp_path) == f"{record_file(place)}: {problem}"


def test_counts_in_another_order_are_rejected(tmp_path: Path):
    place = write_set(tmp_path, {"train": toys(10)}, shards=3)
    record_file(place, 0, 3).replace(record_file(place, 1, 3))
    record_file(place, 0, 3).write_bytes(record_file(place, 2, 3).read_bytes())
    assert "array_record-00001-of-00003: holds 3 examples, but 1.0.0/" in error_line(tmp_path)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def middle(path: Path) -> int:
    """The middle one of the nonzero bytes; most bytes of these files are zero."""
    nonzero = np.flatnonzero(np.frombuffer(path.read_bytes()[:65536], np.uint8))
    return int(nonzero[len(nonzero) // 2])


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_flipped_byte_is_rejected_with_file_and_index(tmp_path: Path, shard: int):
    file = record_file(write_set(tmp_path, {"train": toys(30)}, shards=3), shard, 3)
    flip(file, middle(file))
    line = rf"{re.escape(str(file))}: example \d is damaged \(Corrupted Riegeli/records file: .*\)"
    assert re.fullmatch(line, error_line(tmp_path))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda file: file.write_bytes(b""), "damaged (ArrayRecord file should be at least"),
        (lambda file: file.write_bytes(file.read_bytes()[:300]), "damaged (ArrayRecord file"),
        (lambda file: file.write_bytes(file.read_bytes()[:65536]), "holds 0 examples, but 1.0.0"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "damaged (Invalid Riegeli/records"),
        (lambda file: file.write_bytes(random.Random(0).randbytes(131072)), "damaged (Corrupted"),
        (lambda file: file.write_bytes(bytes(131072)), "damaged (Corrupted Riegeli/records"),
        (lambda file: (file.unlink(), file.mkdir()), "damaged (read() failed: Is a directory"),
    ],
    ids=["empty", "cut early", "cut in the middle", "cut late", "noise", "zeros", "a folder"],
)  # fmt: skip
def test_a_damaged_file_is_rejected_with_its_name(
    tmp_path: Path, damage: Callable[[Path], Any], line: str
):
    file = record_file(write_set(tmp_path, {"train": toys(10)}, shards=2), 1, 2)
    damage(file)
    assert error_line(tmp_path).startswith(f"{file}: {line}")
    assert not list(tmp_path.glob(".ffnn_jax/*train*"))


def test_a_missing_file_is_rejected_with_its_name(tmp_path: Path):
    file = record_file(write_set(tmp_path, {"train": toys(10)}, shards=3), 1, 3)
    file.unlink()
    assert error_line(tmp_path) == f"toy/train: {file} is missing"


def test_a_split_is_read_even_if_another_is_damaged(tmp_path: Path):
    place = write_set(tmp_path, {"train": toys(10), "test": toys(5)})
    record_file(place).unlink()
    assert np.array_equal(load("toy", "test", folder=tmp_path).images, noise(5))


def test_records_are_written_as_tensorflow_datasets_writes_them(tmp_path: Path):
    """Confirms that records rewritten in this way, as in the tests below, can be read."""
    file = record_file(write_set(tmp_path, {"train": toys(10)}))
    records = ArrayRecordReader(str(file)).read_all()
    writer = ArrayRecordWriter(str(file), "group_size:1")
    for record in records[::-1]:
        writer.write(record)
    writer.close()
    assert np.array_equal(load("toy", "train", folder=tmp_path).images, noise(10)[::-1])


@pytest.mark.parametrize("record", [b"", b"\x00", b"not an example", b"\xff" * 50])
def test_an_invalid_record_is_rejected_with_file_and_index(tmp_path: Path, record: bytes):
    file = record_file(write_set(tmp_path, {"train": toys(10)}))
    records = ArrayRecordReader(str(file)).read_all()
    writer = ArrayRecordWriter(str(file), "group_size:1")
    for whole in [*records[:4], record, *records[5:]]:
        writer.write(whole)
    writer.close()
    assert error_line(tmp_path).startswith(f"{file}: example 4 ")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"pythonClassName": "os.system"}'])
def test_damaged_features_are_rejected_with_the_folder(tmp_path: Path, text: str):
    place = write_set(tmp_path, {"train": toys(10)})
    (place / "features.json").write_text(text)
    assert error_line(tmp_path).startswith(f"{place}: damaged (")


def test_missing_features_are_rejected_with_the_folder(tmp_path: Path):
    place = write_set(tmp_path, {"train": toys(10)})
    (place / "features.json").unlink()
    assert error_line(tmp_path).startswith(f"{place}: damaged (Cannot restore toy/1.0.0.")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dataset_info.json", "filepathTemplate", "filepathTemplat"),
        ("dataset_info.json", "{SHARD_X_OF_Y}", "{SHARD_X_OF_Z}"),
        ("dataset_info.json", '"name": "toy",', ""),
        ("dataset_info.json", "array_record", "array_recorb"),
        ("dataset_info.json", '"1.0.0"', '"one"'),
        ("features.json", "Image", "Imago"),
        ("features.json", "uint8", "uint9"),
        ("features.json", '"label": {', '"label ": {'),
        ("features.json", '"numClasses": "3"', '"numClasses": "2"'),
        ("features.json", '"numClasses": "3"', '"numClasses": "4"'),
        ("label.labels.txt", "cow\n", ""),
        ("label.labels.txt", "bee\ncow", "beecow"),
    ],
)
def test_a_damaged_description_is_rejected_with_its_folder(
    tmp_path: Path, file: str, old: str, new: str
):
    place = write_set(tmp_path, {"train": toys(10)})
    edit(place / file, old, new)
    assert str(place) in error_line(tmp_path)


@pytest.mark.parametrize(
    "file", ["dataset_info.json", "features.json", "label.labels.txt", record_file(Path()).name]
)
def test_a_changed_byte_never_changes_images_silently(tmp_path: Path, file: str):
    """The data are read as written, or rejected in one line."""
    path, draw = write_set(tmp_path, {"train": toys(10)}) / file, random.Random(0)
    whole = path.read_bytes()
    nonzero = np.flatnonzero(np.frombuffer(whole, np.uint8)).tolist()
    rejected = 0
    for place in draw.sample(nonzero, min(150, len(nonzero))):
        content = bytearray(whole)
        content[place] ^= draw.randrange(1, 256)
        path.write_bytes(content)
        try:
            train = load("toy", "train", folder=tmp_path)
        except UserError as error:
            assert "\n" not in str(error)
            rejected += 1
        else:
            assert np.array_equal(train.images, noise(10))
            assert train.labels.tolist() == [row % 3 for row in range(10)]
    assert rejected > 0 or file == "label.labels.txt"


@pytest.mark.parametrize("lengths", ['"shardLengths": []', '"shardLengths": ["0"]'])
def test_an_empty_split_is_rejected_and_the_others_are_read(tmp_path: Path, lengths: str):
    place = write_set(tmp_path, {"train": toys(10), "test": toys(5)})
    about = (place / "dataset_info.json").read_text()
    about = re.sub(r'"shardLengths": \[\s*"10"\s*\]', lengths, about)
    (place / "dataset_info.json").write_text(about)
    line = "toy: split 'train' is empty or beyond the 0 examples of train"
    assert error_line(tmp_path) == line
    assert len(load("toy", "test", folder=tmp_path)) == 5


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed")
def test_files_that_need_tensorflow_are_explained(tmp_path: Path):
    place = write_set(tmp_path, {"train": toys(10)})
    edit(place / "dataset_info.json", '"fileFormat": "array_record"', '"fileFormat": "tfrecord"')
    assert error_line(tmp_path) == (
        f"{place} holds tfrecord files, which only TensorFlow reads; pip install tensorflow-cpu, "
        "or move the folder away and prepare the set again as array_record files"
    )


def test_blocks_yield_every_example_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ffnn_jax.data._decode._BLOCK", 4)
    write_set(tmp_path, {"train": toys(10)}, shards=3)
    prepared = find_prepared("toy", tmp_path)
    assert prepared is not None
    blocks = list(Reader(prepared).blocks("train"))
    assert [len(block.labels) for block in blocks] == [4, 4, 2]
    assert np.array_equal(np.concatenate([block.images for block in blocks]), noise(10))
    assert [block.ids for block in blocks] == [[], [], []]
