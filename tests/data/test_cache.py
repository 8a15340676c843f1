"""Decoded images are cached, and reused only if they are what was written."""

import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from platformdirs import user_cache_path

from ffnn_jax.config import UserError
from ffnn_jax.data import find_prepared, load
from ffnn_jax.data._cache import is_cached, read_decoded
from tests.data.conftest import NAMES, noise, toys, write_set
from tests.systems import posix

FILES = ("about.json", "images.npy", "labels.npy", "original_order.npy")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the set toy, of 20 and 7 images, not decoded yet."""
    folder = tmp_path_factory.mktemp("prepared")
    write_set(folder, {"train": toys(20), "test": toys(7)})
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``prepared``, with an empty user cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return shutil.copytree(prepared, tmp_path / "sets")


def read(folder: Path) -> np.ndarray:
    """The training images, after checking pixels, labels and class names."""
    train = load("toy", "train", folder=folder)
    assert np.array_equal(train.images, noise(20))
    assert train.labels.tolist() == [row % 3 for row in range(20)]
    assert train.class_names == NAMES
    return train.images


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(".ffnn_jax/*") if path.name != ".lock")


def only_entry(folder: Path) -> Path:
    (entry,) = entries(folder)
    assert sorted(path.name for path in entry.iterdir()) == list(FILES)
    return entry


def require_cached(folder: Path) -> None:
    prepared = find_prepared("toy", folder)
    assert prepared is not None
    assert is_cached(prepared, "train")


def run(program: str, *words: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_second_reading_maps_the_cache_of_the_first(folder: Path):
    first, entry = read(folder), only_entry(folder)
    written = {path.name: path.stat().st_mtime_ns for path in entry.iterdir()}
    second = read(folder)
    for images in (first, second):
        assert isinstance(images, np.memmap)
        assert images.filename == entry / "images.npy"
        assert not images.flags.writeable
    assert only_entry(folder) == entry
    assert {path.name: path.stat().st_mtime_ns for path in entry.iterdir()} == written
    part = load("toy", "train[5:9]", folder=folder)
    assert isinstance(part.images, np.memmap)


SECOND = """
import sys
from pathlib import Path
from ffnn_jax.data import load
print(load("toy", "train", folder=Path(sys.argv[1])).sha256)
print({"jax", "tensorflow_datasets", "tensorflow", "array_record", "PIL"} & set(sys.modules))
"""


def test_a_second_reading_needs_neither_tensorflow_datasets_nor_jax(folder: Path):
    read(folder)
    output, errors = run(SECOND, str(folder)).communicate()
    expected = load("toy", "train", folder=folder).sha256
    assert (output.splitlines(), errors) == ([expected, "set()"], "")


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def cut_to(length: int) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def replace_with(array: np.ndarray) -> Callable[[Path], Any]:
    def replace(path: Path) -> None:
        path.unlink()
        np.save(path, array, allow_pickle=True)

    return replace


def update_json(**fields: Any) -> Callable[[Path], Any]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | fields))


DAMAGE: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a pixel flipped": ("images.npy", lambda path: flip(path, 200)),
    "the last pixel flipped": ("images.npy", lambda path: flip(path, -1)),
    "a label flipped": ("labels.npy", lambda path: flip(path, -1)),
    "a header flipped": ("original_order.npy", lambda path: flip(path, 30)),
    "a class name flipped": ("about.json", lambda path: flip(path, 20)),
    "the digest flipped": ("about.json", lambda path: flip(path, -10)),
    **{f"images cut to {n}": ("images.npy", cut_to(n)) for n in (0, 5, 60, 128, 300, 447)},
    **{f"labels cut to {n}": ("labels.npy", cut_to(n)) for n in (0, 9, 128, 207)},
    **{f"about cut to {n}": ("about.json", cut_to(n)) for n in (0, 1, 50)},
    **{f"no {name}": (name, lambda path: path.unlink()) for name in FILES},
    "images of another dtype": ("images.npy", replace_with(noise(20).astype(np.float64))),
    "signed images": ("images.npy", replace_with(noise(20).view(np.int8))),
    "images of another shape": ("images.npy", replace_with(noise(20).reshape(20, 2, 8, 1))),
    "one image fewer": ("images.npy", replace_with(noise(19))),
    "labels of another dtype": ("labels.npy", replace_with(np.arange(20) % 3)),
    "object labels": ("labels.npy", replace_with(np.array([{}], object))),
    "pickled labels": ("labels.npy", lambda path: path.write_bytes(pickle.dumps("x"))),
    "an order": ("original_order.npy", replace_with(np.arange(20, dtype=np.int32))),
    "names in another order": ("about.json", update_json(class_names=["ant", "cow", "bee"])),
    "names not a list": ("about.json", update_json(class_names=3)),
    "about is a list": ("about.json", lambda path: path.write_text("[]")),
    "about not text": ("about.json", lambda path: path.write_bytes(b"\xff\xfe")),
}


@pytest.mark.parametrize(("file", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_logged_in_one_line_and_decoded_again(
    folder: Path, caplog: pytest.LogCaptureFixture, file: str, damage: Callable[[Path], Any]
):
    read(folder)
    entry = only_entry(folder)
    damage(entry / file)
    read(folder)
    assert caplog.messages == [f"{entry} is damaged; decoding it again"]
    assert only_entry(folder) == entry
    caplog.clear()
    read(folder)
    assert caplog.messages == []


@pytest.mark.filterwarnings("default")  # numpy warns about some headers
def test_a_changed_byte_never_changes_what_is_read(folder: Path, caplog: pytest.LogCaptureFixture):
    """A change without effect, such as in the padding of a header, may go unnoticed."""
    read(folder)
    entry, draw = only_entry(folder), random.Random(0)
    for file in FILES:
        whole = (entry / file).read_bytes()
        head = range(min(128, len(whole)))
        places = [*draw.sample(head, min(32, len(head))), *draw.sample(range(len(whole)), 10)]
        for place in places:
            content = bytearray(whole)
            content[place] ^= draw.randrange(1, 256)
            (entry / file).write_bytes(content)
            read(folder)
            caplog.clear()
        (entry / file).write_bytes(whole)
    require_cached(folder)


def test_a_set_that_was_prepared_again_is_decoded_again(folder: Path):
    read(folder)
    load("toy", "test", folder=folder)
    before = entries(folder)
    shutil.rmtree(folder / "toy")
    write_set(folder, {"train": toys(20)[::-1], "test": toys(7)})
    assert np.array_equal(load("toy", "train", folder=folder).images, noise(20)[::-1])
    load("toy", "test", folder=folder)
    after = entries(folder)
    assert len(after) == len(before) == 2
    assert not set(after) & set(before)


def test_splits_versions_and_sets_are_cached_side_by_side(folder: Path):
    write_set(folder, {"train": toys(3), "train-2": toys(4)}, version="2.0.0")
    write_set(folder, {"train": toys(5)}, name="toy_train")
    for _ in range(2):
        assert len(load("toy", "train", folder=folder)) == 3
        assert len(load("toy", "train-2", folder=folder)) == 4
        assert len(load("toy_train", "train", folder=folder)) == 5
        assert len(entries(folder)) == 3


def forbid(folder: Path) -> None:
    """Creates a file in place of the folder, so that not even root can write there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")


def test_the_user_s_cache_folder_is_used_if_the_data_folder_is_not_writable(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    forbid(folder / ".ffnn_jax")
    images = read(folder)
    assert isinstance(images, np.memmap)
    assert tmp_path / "user" in Path(str(images.filename)).parents
    assert isinstance(read(folder), np.memmap)
    assert caplog.messages == []


def test_images_that_cannot_be_cached_are_read_into_memory(
    folder: Path, caplog: pytest.LogCaptureFixture
):
    forbid(folder / ".ffnn_jax")
    forbid(user_cache_path("ffnn_jax"))
    for _ in range(2):
        caplog.clear()
        assert not isinstance(read(folder), np.memmap)
        (line,) = caplog.messages
        assert line.startswith(f"decoded images cannot be cached ({folder / '.ffnn_jax'}: ")
        assert f"; {user_cache_path('ffnn_jax') / 'decoded'}" in line


FULL = """
import resource, signal, sys
from pathlib import Path
from ffnn_jax.data import load
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
train = load("toy", "train", folder=Path(sys.argv[1]))
print(train.sha256, type(train.images).__name__)
"""


@posix
@pytest.mark.parametrize("room", [0, 100, 420, 470])
def test_a_full_disk_leaves_no_partial_files(folder: Path, tmp_path: Path, room: int):
    """The files have 448 bytes of images, 208 of labels, 128 of order and 116 of metadata."""
    output, errors = run(FULL, str(folder), str(room)).communicate()
    cached = room == 470
    expected = load("toy", "train", folder=folder).sha256
    assert output.split() == [expected, "memmap" if cached else "ndarray"]
    lines = [] if cached else ["decoded images cannot be cached"]
    assert [
        re.sub(r"^.*(decoded images .*) \(.*: File too large; .*: File too large\)$", r"\1", line)
        for line in errors.splitlines()
    ] == lines
    assert not list(tmp_path.rglob(".writing"))
    assert not list((tmp_path / "user").rglob("*.npy"))
    only_entry(folder)


READ = """
import sys
from pathlib import Path
from ffnn_jax.data import load
print("ready", flush=True)
sys.stdin.readline()
print(load("toy", "train", folder=Path(sys.argv[1])).sha256)
"""


def test_two_concurrent_first_readers_both_succeed(folder: Path):
    command = [sys.executable, "-c", READ, str(folder)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    readers = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write("\n")
        reader.stdin.flush()
    outputs = [reader.communicate() for reader in readers]
    only_entry(folder)
    assert outputs == [(f"{load('toy', 'train', folder=folder).sha256}\n", "")] * 2


DECODE_SLOWLY = """
import sys, time
from pathlib import Path
from ffnn_jax.data import _decode, load
_decode._BLOCK = 1
checked = _decode.Reader._checked
def slowly(*arguments):
    time.sleep(0.005)
    print("a block", flush=True)
    return checked(*arguments)
_decode.Reader._checked = slowly
load("toy", "train", folder=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("blocks", [1, 8, 20])
def test_after_a_killed_reader_the_next_one_succeeds(folder: Path, blocks: int):
    reader = run(DECODE_SLOWLY, str(folder))
    assert reader.stdout is not None
    for _ in range(blocks):
        assert reader.stdout.readline() == "a block\n"
    time.sleep(random.random() * 0.005)
    reader.kill()
    reader.communicate()
    read(folder)
    only_entry(folder)


@pytest.mark.parametrize("block", [1, 7, 10, 19, 20, 21])
def test_blocks_of_any_size_are_read_completely(
    folder: Path, monkeypatch: pytest.MonkeyPatch, block: int
):
    monkeypatch.setattr("ffnn_jax.data._decode._BLOCK", block)
    read(folder)
    forbid(user_cache_path("ffnn_jax"))
    shutil.rmtree(folder / ".ffnn_jax")
    forbid(folder / ".ffnn_jax")
    assert not isinstance(read(folder), np.memmap)


def test_a_split_of_several_blocks_is_read_completely(folder: Path):
    """With the default block size."""
    write_set(folder, {"train": toys(2345)}, name="many", shards=2)
    many = load("many", "train", folder=folder)
    assert np.array_equal(many.images, noise(2345))
    assert many.labels.tolist() == [row % 3 for row in range(2345)]


def write_ids(folder: Path, ids: Sequence[str]) -> None:
    features = {
        "id": tfds.features.Text(),
        "image": tfds.features.Image(shape=(4, 4, 1)),
        "label": tfds.features.ClassLabel(names=NAMES),
    }
    rows = [row | {"id": id_} for row, id_ in zip(toys(len(ids)), ids, strict=True)]
    write_set(folder, {"train": rows}, features, name="counted")


@pytest.mark.parametrize("form", ["train_{:05d}", "{}", "a1-{}", "{:02d}", "\n{}"])
def test_numbered_ids_give_the_original_order(tmp_path: Path, form: str):
    numbers = np.random.default_rng(1).permutation(30)
    write_ids(tmp_path, [form.format(number) for number in numbers])
    ordered = load("counted", "train", folder=tmp_path, original_order=True)
    assert np.array_equal(noise(30)[np.argsort(numbers)], ordered.images)
    assert ordered.labels.tolist() == (np.argsort(numbers) % 3).tolist()
    part = load("counted", "train[10:13]", folder=tmp_path, original_order=True)
    assert np.array_equal(part.images, ordered.images[10:13])
    assert np.array_equal(load("counted", "train", folder=tmp_path).images, noise(30))


@pytest.mark.parametrize(
    "ids",
    [
        ["a_0", "a_1", "a_1"],
        ["a_1", "a_2", "a_3"],
        ["a_0", "b_1", "a_2"],
        ["a_0", "a_1", "a_"],
        ["a_0", "", "a_1"],
        ["0x", "1x", "2x"],
        ["a_0", "a_1", "a_" + 5000 * "9"],
    ],
)
def test_other_ids_give_no_original_order(tmp_path: Path, ids: list[str]):
    write_ids(tmp_path, ids)
    assert len(load("counted", "train", folder=tmp_path)) == 3
    with pytest.raises(UserError, match="does not record the order of its original files"):
        load("counted", "train", folder=tmp_path, original_order=True)


def test_a_set_without_ids_has_no_original_order(folder: Path):
    prepared = find_prepared("toy", folder)
    assert prepared is not None
    for _ in range(2):
        assert read_decoded(prepared, "train").original_order.shape == (0,)
