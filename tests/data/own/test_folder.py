"""Folders of pictures: every picture arrives once, in its class and its split, as it was."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import UserError
from ffnn_jax.data import load, load_splits
from tests.data.own.pictures import numbered, write_classes

SPLITS = ("train", "validation", "test")


def classes_of(dataset) -> dict[bytes, str]:
    pairs = zip(dataset.images, dataset.labels, strict=True)
    return {image.tobytes(): dataset.class_names[label] for image, label in pairs}


def test_every_picture_arrives_in_its_class_unchanged(tmp_path: Path):
    written = write_classes(tmp_path / "set", {"cat": 20, "dog": 30})
    splits = load_splits(str(tmp_path / "set"))
    read = [classes_of(part) for part in splits if part is not None]
    assert read[0] | read[1] | read[2] == written
    assert sum(map(len, read)) == len(written)


def test_what_is_drawn_has_the_same_share_of_each_class(tmp_path: Path):
    write_classes(tmp_path / "set", {"few": 3, "some": 20, "many": 100})
    for split, shares in {"test": (1, 3, 15), "validation": (1, 3, 15)}.items():
        part = load(str(tmp_path / "set"), split)
        counts = Counter(part.class_names[label] for label in part.labels)
        assert (counts["few"], counts["some"], counts["many"]) == shares


def test_of_few_pictures_none_is_drawn_for_validation(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 2, "dog": 2})
    train, validation, test = load_splits(str(tmp_path / "set"))
    assert (len(train), validation, len(test)) == (2, None, 2)
    write_classes(tmp_path / "one", {"cat": 1, "dog": 1})
    with pytest.raises(UserError, match="one: too few images to set some aside for testing"):
        load_splits(str(tmp_path / "one"))


def test_a_picture_that_is_added_moves_at_most_one_other(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 40})
    before = {split: set(classes_of(load(str(tmp_path / "set"), split))) for split in SPLITS}
    Image.fromarray(numbered(1000)).save(tmp_path / "set" / "cat" / "1000.png")
    after = {split: set(classes_of(load(str(tmp_path / "set"), split))) for split in SPLITS}
    assert sum(len(before[split] - after[split]) for split in SPLITS) <= 2


def test_copies_of_a_file_are_drawn_together(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 12})
    for file in list((tmp_path / "set" / "cat").iterdir()):
        for copy in range(3):
            (file.parent / f"copy-{copy}-{file.name}").write_bytes(file.read_bytes())
    read = [set(classes_of(load(str(tmp_path / "set"), split))) for split in SPLITS]
    assert sum(map(len, read)) == len(read[0] | read[1] | read[2]) == 12


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_folders_of_splits_are_taken_as_they_are(tmp_path: Path, names: tuple[str, ...]):
    written = [
        write_classes(tmp_path / "set" / name, {"cat": 3, "dog": 2}, 10 * number)
        for number, name in enumerate(names)
    ]
    splits = load_splits(str(tmp_path / "set"))
    assert [classes_of(part) for part in splits if part is not None] == written


def test_without_a_test_folder_it_is_drawn_from_the_training_pictures(tmp_path: Path):
    written = write_classes(tmp_path / "set" / "train", {"cat": 20, "dog": 20})
    train, validation, test = load_splits(str(tmp_path / "set"))
    assert validation is None
    assert len(test) == 6
    assert classes_of(train) | classes_of(test) == written
    assert "set aside by a fixed hash: 15% of each class for test" in train.remarks


def test_the_last_pictures_are_of_all_classes(tmp_path: Path):
    """What a run holds out as the last of the training images is no class by itself."""
    write_classes(tmp_path / "set", {"cat": 50, "dog": 50})
    assert set(load(str(tmp_path / "set"), "train[-10:]").labels) == {0, 1}


def mode_of(name: str, number: int) -> Image.Image:
    grey = Image.fromarray(numbered(number)[..., 0])
    colour = Image.fromarray(numbered(number))
    made = {
        "L": grey, "RGB": colour, "1": grey.convert("1"), "LA": grey.convert("LA"),
        "P": colour.quantize(), "RGBA": colour.convert("RGBA"), "CMYK": colour.convert("CMYK"),
        "I;16": Image.fromarray(numbered(number)[..., 0].astype(np.uint16) * 257),
    }  # fmt: skip
    return made[name]


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16", "RGB", "P", "RGBA", "CMYK"])
def test_grey_pictures_have_one_channel_and_others_three(tmp_path: Path, mode: str):
    (tmp_path / "set" / "a").mkdir(parents=True)
    for number in range(3):
        mode_of(mode, number).save(tmp_path / "set" / "a" / f"{number}.tif")
    images = load(str(tmp_path / "set"), "all").images.astype(int)
    channels = 1 if mode in ("L", "1", "LA", "I;16") else 3
    assert images.shape == (3, 4, 5, channels)
    lossy = {"P": 1, "1": 255}.get(mode, 0)
    for number in range(3):
        expected = numbered(number)[..., :channels]
        assert min(np.abs(image - expected).max() for image in images) <= lossy


def test_one_picture_in_colour_makes_all_of_them_coloured(tmp_path: Path):
    folder = tmp_path / "set"
    (folder / "a").mkdir(parents=True)
    for number in range(600):  # more than a block
        Image.fromarray(numbered(number)[..., 0]).save(folder / "a" / f"{number}.bmp")
    last = max(folder.rglob("*.bmp"), key=lambda path: path.name)
    Image.fromarray(numbered(7000)).save(last)
    images = load(str(folder), "all").images
    assert images.shape == (600, 4, 5, 3)
    assert sum((image == numbered(7000)).all() for image in images) == 1
    assert sum((image == image[..., :1]).all() for image in images) == 599


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright
    for number in range(3):
        path = tmp_path / "set" / "a" / f"{number}.png"
        Image.fromarray(numbered(number)).save(path, exif=exif)
    images = load(str(tmp_path / "set"), "all").images
    expected = {np.rot90(numbered(number), -1).tobytes() for number in range(3)}
    assert {image.tobytes() for image in images} == expected


def test_pictures_of_other_sizes_are_cropped_to_the_middle_and_scaled(tmp_path: Path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    for number in range(4):
        pixels = np.zeros((8, 16 + 4 * number, 3), np.uint8)
        middle = (16 + 4 * number - 8) // 2
        pixels[:, middle : middle + 8] = 200
        Image.fromarray(pixels).save(tmp_path / "set" / "a" / f"{number}.png")
    with pytest.raises(UserError, match=r"differ in size: .* is \d\d x 8, .*; --size N"):
        load(str(tmp_path / "set"), "train")
    part = load(str(tmp_path / "set"), "all", size=4)
    assert part.images.shape == (4, 4, 4, 3)
    assert (part.images == 200).all()
    assert "4 pictures of 16 x 8 to 28 x 8 cropped to the middle square, scaled to 4 x 4" in (
        part.remarks
    )


def test_files_beside_the_pictures_are_named(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 3, "dog": 3})
    (tmp_path / "set" / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "set" / "labels.json").write_text("{}")
    (tmp_path / "set" / "cat" / ".hidden.png").write_text("")
    (tmp_path / "set" / ".hidden").mkdir()
    said = load(str(tmp_path / "set"), "train").remarks
    found = [line for line in said if "left out: 2 files are not named as pictures" in line]
    assert len(found) == 1
    assert "notes.txt" in found[0]


def test_what_is_beside_the_folders_of_splits_is_named(tmp_path: Path):
    for number, name in enumerate(("train", "test", "vaild")):
        write_classes(tmp_path / "set" / name, {"cat": 3}, 10 * number)
    Image.fromarray(numbered(1)).save(tmp_path / "set" / "stray.png")
    train, validation, test = load_splits(str(tmp_path / "set"))
    assert (len(train), validation, len(test)) == (3, None, 3)
    (said,) = (line for line in train.remarks if line.startswith("left out: "))
    assert "stray.png, vaild (" in said
    assert said.endswith("did you mean valid?")


def test_two_folders_of_one_split_are_refused(tmp_path: Path):
    for number, name in enumerate(("train", "val", "validation")):
        write_classes(tmp_path / "set" / name, {"cat": 3}, 10 * number)
    with pytest.raises(UserError, match="set: must be one folder a split, got val, validation"):
        load_splits(str(tmp_path / "set"))


def test_a_class_that_training_lacks_is_said(tmp_path: Path):
    write_classes(tmp_path / "set" / "train", {"cat": 3})
    write_classes(tmp_path / "set" / "test", {"kat": 3}, 10)
    with pytest.raises(UserError, match=r"kat: test has a class .*; did you mean cat"):
        load(str(tmp_path / "set"), "train")


def test_a_class_without_pictures_is_left_out_and_named(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 3, "dog": 3})
    (tmp_path / "set" / "empty").mkdir()
    (tmp_path / "set" / "__MACOSX").mkdir()
    dataset = load(str(tmp_path / "set"), "train")
    assert dataset.class_names == ("cat", "dog")
    (line,) = (line for line in dataset.remarks if "left out" in line)
    assert line.endswith("has no pictures in empty")


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
@pytest.mark.parametrize("place", ["caf\udce9/cat", "set/caf\udce9"])
def test_a_folder_whose_name_is_not_utf_8_is_to_be_renamed(tmp_path: Path, place: str):
    write_classes(tmp_path / place, {"": 5})
    folder = tmp_path / place.partition("/")[0]
    with pytest.raises(UserError, match=r"rename the folder '.*caf\\udce9', which is not UTF-8"):
        load(str(folder), "train")


def test_a_link_that_leads_nowhere_is_damaged(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 20})
    (tmp_path / "set" / "cat" / "gone.png").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"1 of 21 pictures[^\n]*\n .*gone.png: no such file"):
        load(str(tmp_path / "set"), "train")
    assert len(load(str(tmp_path / "set"), "all", skip_damaged=True)) == 20


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ((), r"set: holds no data set; your own can be a folder"),
        (("cat", "dog"), r"set: must have a sub-folder of pictures for each class, has none"),
        (("test/cat",), r"set: has test, and no folder 'train'"),
        (("test/cat", "train/cat"), r"(test|train): must have a sub-folder of pictures"),
    ],
)  # fmt: skip
def test_what_is_no_folder_of_classes_is_said(tmp_path: Path, folders, message: str):
    (tmp_path / "set").mkdir()
    for folder in folders:
        (tmp_path / "set" / folder).mkdir(parents=True)
    with pytest.raises(UserError, match=message):
        load(str(tmp_path / "set"), "train")
