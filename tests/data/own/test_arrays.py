"""NumPy, CSV and IDX files: the arrays of each arrive as they are, or what is wrong is said."""

import csv
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data import Dataset, load, load_splits

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 4, 4), np.uint8)
COLOUR = RNG.integers(0, 256, (30, 4, 4, 3), np.uint8)
LABELS = np.arange(30) % 3


def labels_of(dataset: Dataset, images: np.ndarray) -> list[int]:
    """The labels that these images have in the data set, whose order may be another."""
    pairs = zip(dataset.images, dataset.labels, strict=True)
    found = {image.tobytes(): int(label) for image, label in pairs}
    return [found[image.tobytes()] for image in images]


def write_idx(path: Path, array: np.ndarray, packed: bool = False) -> None:
    kinds = {"u1": 8, "i1": 9, "i2": 11, "i4": 12}
    header = bytes([0, 0, kinds[array.dtype.str[1:]], array.ndim])
    content = header + struct.pack(f">{array.ndim}i", *array.shape)
    content += array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
@pytest.mark.parametrize("images", [GREY, COLOUR, GREY[..., None], GREY.astype(np.int64)])
def test_the_arrays_of_an_npz_are_its_splits(tmp_path: Path, names, images: np.ndarray):
    arrays = (images[:20], LABELS[:20], images[20:], LABELS[20:, None])
    named: dict[str, Any] = dict(zip(names, arrays, strict=True))
    np.savez(tmp_path / "set.npz", **named)
    train, validation, test = load_splits(str(tmp_path / "set.npz"))
    assert validation is None
    np.testing.assert_array_equal(train.images, images[:20].reshape(20, 4, 4, -1))
    np.testing.assert_array_equal(test.images, images[20:].reshape(10, 4, 4, -1))
    np.testing.assert_array_equal(test.labels, LABELS[20:])
    assert test.class_names == ("0", "1", "2")


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_type_and_any_values_are_classes(tmp_path: Path, kind):
    values = np.array([7, 10, 120], kind)
    np.savez(tmp_path / "set.npz", images=GREY, labels=values[LABELS])
    dataset = load(str(tmp_path / "set.npz"), "all")
    assert dataset.class_names == ("7", "10", "120")
    assert labels_of(dataset, GREY) == LABELS.tolist()


def test_class_names_and_text_labels_are_kept(tmp_path: Path):
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS, class_names=np.array(["c", "a", "b"]))
    assert load(str(tmp_path / "a.npz"), "train").class_names == ("c", "a", "b")
    np.savez(tmp_path / "c.npz", x=GREY, y=np.array(["a\nb", "c\x1b[31m", "Käse 1"])[LABELS])
    names = ("Käse 1", r"a\nb", r"c\x1b[31m")
    assert load(str(tmp_path / "c.npz"), "train").class_names == names
    np.savez(tmp_path / "b.npz", x=GREY, y=np.array(["tea", "ale", "gin"])[LABELS])
    assert load(str(tmp_path / "b.npz"), "train").class_names == ("ale", "gin", "tea")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": GREY}, r"must hold x_train and y_train, .*; it holds x"),
        ({"x": GREY / 255, "y": LABELS}, r"got float64 from 0.* to 1; multiply by 255 and round"),
        ({"x": GREY.astype(int) + 1, "y": LABELS}, r"whole numbers from 0 to 255, got int64"),
        ({"x": GREY, "y": np.eye(3)[LABELS]}, r"\(30, 3\) for 30 images; save numpy.argmax"),
        ({"x": GREY, "y": LABELS / 2}, r"labels must be whole numbers or text, got float64"),
        ({"x": GREY[:0], "y": LABELS[:0]}, r"holds no images"),
        ({"x": GREY, "y": LABELS[1:]}, r"set\.npz: y: 29 labels for 30 images, \(N"),
        ({"x": COLOUR.transpose(0, 3, 1, 2).repeat(2, 3), "y": LABELS}, r"channels first; save"),
        ({"x": GREY.reshape(30, 16)[:, :15], "y": LABELS}, r"15 pixels an image are no square"),
        ({"x": GREY, "y": LABELS, "class_names": np.array(["a", "b"])},
         r"set\.npz: label 2 has no name: class_names has 2, for labels from 0 to 1"),
        ({"x": GREY, "y": LABELS, "class_names": np.array(["a", "b", "a"])},
         r"set\.npz: class_names has 'a' 2 times"),
        ({"x": GREY * np.nan, "y": LABELS}, r"set\.npz: x: pixels .*, got float64 with NaN"),
        ({"x_test": GREY, "y_test": LABELS}, r"set\.npz: has test, and nothing to train on"),
        ({"x_train": GREY, "y_train": LABELS, "x_test": GREY[:, :3], "y_test": LABELS},
         r"the splits' images differ in shape: train \(4, 4, 1\), test \(3, 4, 1\)"),
        ({"x": GREY, "y": np.array(["a"] * 30, object)},
         r"set\.npz: holds Python objects; save text as numpy\.array\(labels, str\)"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_an_npz_is_said(tmp_path: Path, arrays, message: str):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(UserError, match=message):
        load(str(tmp_path / "set.npz"), "train")


def test_a_damaged_npz_is_said(tmp_path: Path):
    np.savez_compressed(tmp_path / "set.npz", x=GREY, y=LABELS)
    content = (tmp_path / "set.npz").read_bytes()
    for damaged in (b"", b"text", content[:200], content[:100] + bytes(40) + content[140:]):
        (tmp_path / "set.npz").write_bytes(damaged)
        with pytest.raises(UserError, match=r"set\.npz: damaged, or not an .npz, as numpy\.savez"):
            load(str(tmp_path / "set.npz"), "train")


def csv_text(images: np.ndarray, labels, header: str | None = None, last: bool = False) -> str:
    rows = [list(map(str, image.ravel())) for image in images]
    pairs = zip(rows, map(str, labels), strict=True)
    lines = [[*row, label] if last else [label, *row] for row, label in pairs]
    return "\n".join(([header] if header else []) + [",".join(line) for line in lines]) + "\n"


@pytest.mark.parametrize("images", [GREY, COLOUR])
@pytest.mark.parametrize("form", ["bare", "names", "numbers", "from 0", "from 1", "last", "quoted"])
def test_csv_files_are_read_with_and_without_a_header(tmp_path: Path, images, form: str):
    count = images[0].size
    pixels = [f"pixel{n}" for n in range(count)]
    headers = {
        "names": ",".join(["label", *pixels]),
        "numbers": ",".join(["label", *map(str, range(count))]),
        "from 0": ",".join(map(str, range(count + 1))),  # as pandas writes columns without names
        "from 1": ",".join(map(str, range(1, count + 2))),
        "last": ",".join([*pixels, "Class"]), "bare": None, "quoted": None,
    }  # fmt: skip
    names = ['"a"', '"b"', '"c"'] if form == "quoted" else ["a", "b", "c"]
    text = csv_text(images, [names[k] for k in LABELS], headers[form], form == "last")
    (tmp_path / "set.csv").write_text(text)
    dataset = load(str(tmp_path / "set.csv"), "all")
    assert dataset.class_names == ("a", "b", "c")
    assert labels_of(dataset, images) == LABELS.tolist()


DARK = GREY * np.pad(np.ones((2, 2), np.uint8), 1)
ALMOST_DARK = np.concatenate([DARK ^ np.array([[0], [k], [k], [0]], np.uint8) for k in range(4)])
ALMOST_DARK[5, 0, 0] = 1


@pytest.mark.parametrize("images", [GREY, DARK, ALMOST_DARK, COLOUR])
@pytest.mark.parametrize("names", [(0, 1, 2), (3, 7, 9), ("a", "b", "c")])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_labels_are_told_from_pixels(tmp_path: Path, images, names, header, last):
    of_row = np.resize(LABELS, len(images))
    columns = ",".join(f"column{n}" for n in range(images[0].size + 1)) if header else None
    labels = [names[k] for k in of_row]
    (tmp_path / "set.csv").write_text(csv_text(images, labels, columns, last))
    dataset = load(str(tmp_path / "set.csv"), "all")
    assert dataset.class_names == tuple(map(str, names))
    assert labels_of(dataset, images) == of_row.tolist()
    assert any("set.csv: its last column" in remark for remark in dataset.remarks) == last


@pytest.mark.parametrize("labels", [LABELS, np.arange(30) // 2 * 7])
def test_where_either_end_could_be_the_label_a_header_is_asked_for(tmp_path: Path, labels):
    images = GREY.copy()
    images[:, 3, 3] = labels
    file = tmp_path / "set.csv"
    file.write_text(csv_text(images, labels))
    with pytest.raises(UserError, match=r"set\.csv: either .* could be the label; add a header"):
        load(str(file), "train")
    file.write_text("label" + ",0" * 16 + "\n" + file.read_text())
    dataset = load(str(file), "all")
    assert [dataset.class_names[k] for k in labels_of(dataset, images)] == list(map(str, labels))


def test_csv_files_of_splits_are_told_by_their_names(tmp_path: Path):
    for name, rows in {"my_train": slice(20), "my_test": slice(20, 30)}.items():
        (tmp_path / f"{name}.csv").write_text(csv_text(GREY[rows], LABELS[rows]))
    train, _, test = load_splits(str(tmp_path))
    np.testing.assert_array_equal(train.images[..., 0], GREY[:20])
    np.testing.assert_array_equal(test.images[..., 0], GREY[20:])


def test_every_cell_may_be_quoted_and_a_label_have_a_comma(tmp_path: Path):
    names = ["a", "b, c", 'd "e"']
    with (tmp_path / "set.csv").open("w", newline="") as file:
        rows = [[names[k], *image.ravel()] for k, image in zip(LABELS, GREY, strict=True)]
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    dataset = load(str(tmp_path / "set.csv"), "all")
    assert dataset.class_names == tuple(names)
    assert labels_of(dataset, GREY) == LABELS.tolist()


def test_whole_labels_that_were_written_as_floats_are_the_same_classes(tmp_path: Path):
    (tmp_path / "set.csv").write_text(csv_text(GREY.astype(float), LABELS.astype(float)))
    assert load(str(tmp_path / "set.csv"), "all").class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"holds no images"),
        (
            'a,1,2,3,4\n"b,1,2,3,4\nc,1,2,3,4\n',
            r"set\.csv: cannot be read \(unexpected end of data",
        ),
        ("0,9,2,3,4\n0,1,2,3\n", r"line 2 has 3 pixels, the first 4"),
        ("0,9,2,3,4\n0,1,2,3,256\n", r"line 2: pixels must be .* from 0 to 255, got 256"),
        ("0,9,2,3,4\n0,1,2,3,0.5\n", r"line 2: pixels must be whole .*, got 0.5"),
        ("0,9,2,3,4\n0,1,2,x,4\n", r"line 2: pixels must be whole numbers .*'x'"),
        ("0;1;2;3;4\n0;1;2;3;4\n", r"line 2 has no commas between its values"),
        ("0,9,2,3,4,5\n", r"5 pixels an image are no square"),
    ],
)
def test_what_is_wrong_in_a_csv_is_said(tmp_path: Path, text: str, message: str):
    (tmp_path / "set.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        load(str(tmp_path / "set.csv"), "train")


@pytest.mark.parametrize("packed", [False, True])
def test_idx_pairs_are_read_under_any_name(tmp_path: Path, packed: bool):
    for split, rows in {"train": slice(20), "t10k": slice(20, 30)}.items():
        write_idx(tmp_path / f"{split}-pictures", GREY[rows], packed)
        write_idx(tmp_path / f"{split}-classes.bin", LABELS[rows].astype(np.int32), packed)
    train, _, test = load_splits(str(tmp_path))
    np.testing.assert_array_equal(train.images[..., 0], GREY[:20])
    np.testing.assert_array_equal(test.images[..., 0], GREY[20:])
    np.testing.assert_array_equal(test.labels, LABELS[20:])


def test_what_is_wrong_in_idx_files_is_said(tmp_path: Path):
    write_idx(tmp_path / "a", GREY)
    with pytest.raises(UserError, match=r"needs a file of images and one of labels; .* a \(30,"):
        load(str(tmp_path), "train")
    write_idx(tmp_path / "b", LABELS.astype(np.uint8))
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-3])
    with pytest.raises(UserError, match=r"a: a damaged IDX file \(its header says 496 bytes"):
        load(str(tmp_path), "train")
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3i", 2**30, 2**30, 4))
    with pytest.raises(UserError, match=r"a: a damaged IDX file"):
        load(str(tmp_path), "train")


def test_a_size_is_for_pictures(tmp_path: Path):
    np.savez(tmp_path / "set.npz", x=GREY, y=LABELS)
    assert load(str(tmp_path / "set.npz"), "train", size=4).image_shape == (4, 4, 1)
    with pytest.raises(UserError, match=r"size is for picture files; these arrays are images"):
        load(str(tmp_path / "set.npz"), "train", size=8)


def test_a_file_of_another_kind_is_said(tmp_path: Path):
    (tmp_path / "set.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"set.parquet: not a data set; your own can be a folder"):
        load(str(tmp_path / "set.parquet"), "train")


def save_split(folder: Path, kind: str, split: str, rows: slice, arrays: dict[str, Any]) -> None:
    """Writes a split as a CSV or IDX files, or adds it to the arrays of an .npz."""
    if kind == "csv":
        (folder / f"{split}.csv").write_text(csv_text(GREY[rows], LABELS[rows]))
    elif kind == "idx":
        write_idx(folder / f"{split}-images", GREY[rows])
        write_idx(folder / f"{split}-labels", LABELS[rows].astype(np.uint8))
    else:
        arrays |= {f"x_{split}": GREY[rows], f"y_{split}": LABELS[rows]}
        np.savez(folder / "set.npz", **arrays)


@pytest.mark.parametrize("kind", ["csv", "idx", "npz"])
@pytest.mark.parametrize(("name", "hint"), [("vaild", "did you mean valid?"), ("extra", None)])
def test_what_is_named_as_no_split_does_not_replace_those_that_are(
    tmp_path: Path, kind, name, hint
):
    arrays: dict[str, Any] = {}
    for split, rows in {"train": slice(20), "test": slice(20, 25), name: slice(25, 30)}.items():
        save_split(tmp_path, kind, split, rows, arrays)
    path = str(tmp_path / "set.npz" if kind == "npz" else tmp_path)
    train, validation, test = load_splits(path)
    np.testing.assert_array_equal(train.images[..., 0], GREY[:20])
    np.testing.assert_array_equal(test.images[..., 0], GREY[20:25])
    assert validation is None
    (said,) = (line for line in train.remarks if line.startswith("left out: "))
    assert name in said
    assert said.endswith(hint or "test)")


def test_a_csv_without_labels_beside_one_with_them_is_said(tmp_path: Path):
    pixels = ",".join(f"pixel{n}" for n in range(16))
    (tmp_path / "train.csv").write_text(csv_text(GREY, LABELS, f"label,{pixels}"))
    rows = [",".join(map(str, image.ravel())) for image in GREY]
    (tmp_path / "test.csv").write_text("\n".join([pixels, *rows]))
    with pytest.raises(UserError, match=r"test\.csv: its header has no label; without this file"):
        load(str(tmp_path), "train")
    (tmp_path / "test.csv").write_text(csv_text(GREY, LABELS))
    assert len(load(str(tmp_path), "test")) == 30


@pytest.mark.parametrize("extra", ["x", "train_images", "X_TRAIN"])
def test_two_arrays_of_images_for_a_split_are_refused(tmp_path: Path, extra: str):
    arrays: dict[str, Any] = {"x_train": GREY, "y_train": LABELS, extra: GREY}
    if extra == "x":
        arrays = {"x": GREY, "y": LABELS, "images": GREY}
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(UserError, match="must hold x_train and y_train"):
        load(str(tmp_path / "set.npz"), "train")


def test_two_csv_files_for_a_split_are_refused(tmp_path: Path):
    for name in ("my_train", "train_more"):
        (tmp_path / f"{name}.csv").write_text(csv_text(GREY, LABELS))
    with pytest.raises(UserError, match=r"one CSV file a split, got my_train\.csv, train_m"):
        load(str(tmp_path), "train")
