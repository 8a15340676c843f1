"""What is in its place is whole and right, or it is not there; whoever stops, fails or repeats."""

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from filelock import FileLock, Timeout

from ffnn_jax.config import UserError
from ffnn_jax.data import PreparedSet, data_dir, find_prepared, load, prepared_names
from ffnn_jax.data.preparation import (
    RECIPES,
    _cifar,
    _prepare,
    _sources,
    prepare,
    verify_prepared,
)
from ffnn_jax.data.preparation._parts import OnProgress, Part
from ffnn_jax.data.preparation._recipes import Recipe
from tests.data.preparation.conftest import (
    BATCH,
    Tiny,
    archive,
    cifar_batch,
    noise,
    order_of_tfds,
    sha256,
)

DIGITS = tuple("0123456789")


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Where the sets are prepared."""
    return tmp_path / "sets"


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file in a folder, with its size and the time when it was changed."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def require_nothing_prepared(sets: Path) -> None:
    """No set, no temporary folder, no decoded images: locks alone."""
    assert prepared_names(sets) == []
    assert [path.suffix for path in sets.rglob("*") if path.is_file()] == [".lock"]
    assert [path.name for path in (sets / ".ffnn_jax").iterdir()] == ["mnist.lock"]
    with FileLock(sets / ".ffnn_jax" / "mnist.lock").acquire(timeout=0):
        pass


# what is prepared


def test_a_prepared_set_holds_every_image_with_its_label(tiny_mnist: Tiny, sets: Path):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    assert prepared == find_prepared("mnist", sets)
    assert prepared.folder == sets / "mnist" / prepared.version
    assert prepared.file_format == "array_record"
    assert prepared.shard_lengths == {"train": (60,), "test": (10,)}
    for split, (pixels, labels) in tiny_mnist.parts.items():
        order = order_of_tfds(split, len(labels))
        read = load("mnist", split, folder=sets)
        np.testing.assert_array_equal(read.images, pixels[order], strict=True)
        np.testing.assert_array_equal(read.labels, labels[order].astype(np.int32), strict=True)
        assert read.class_names == DIGITS


PLAIN = """
import sys
import numpy as np
import tensorflow_datasets as tfds
folder, out = sys.argv[1:]
splits = tfds.data_source("mnist", data_dir=folder)
np.savez(out, **{
    f"{split}_{key}": np.stack([example[key] for example in source])
    for split, source in splits.items() for key in ("image", "label")
})
print(*splits, *(m for m in ("ffnn_jax", "tensorflow") if m in sys.modules))
"""


def run(script: str, *words: object) -> str:
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tensorflow_datasets_alone_reads_the_same_without_tensorflow(
    tiny_mnist: Tiny, sets: Path, tmp_path: Path
):
    prepare("mnist", tiny_mnist.folder, sets)
    assert run(PLAIN, sets, tmp_path / "read.npz").split() == ["train", "test"]
    with np.load(tmp_path / "read.npz") as read:
        for split, (pixels, labels) in tiny_mnist.parts.items():
            order = order_of_tfds(split, len(labels))
            np.testing.assert_array_equal(read[f"{split}_image"], pixels[order], strict=True)
            np.testing.assert_array_equal(read[f"{split}_label"], labels[order])


LOAD = """
import sys
from pathlib import Path
from ffnn_jax.data import load
from ffnn_jax.data.preparation import RECIPES
RECIPES.clear()  # these are not the digits that are recorded
digests = [load("mnist", split, folder=Path(sys.argv[1])).sha256 for split in ("train", "test")]
print(*digests, *(m for m in ("jax", "tensorflow_datasets", "tensorflow") if m in sys.modules))
"""


def test_what_was_decoded_to_be_checked_is_decoded_no_more(tiny_mnist: Tiny, sets: Path):
    prepare("mnist", tiny_mnist.folder, sets)
    kept = sorted(path.name for path in (sets / ".ffnn_jax").iterdir() if path.is_dir())
    assert [name.rsplit("-", 1)[0] for name in kept] == ["mnist-3.0.1-test", "mnist-3.0.1-train"]
    before = contents(sets)
    recorded = RECIPES["mnist"].sha256
    assert run(LOAD, sets).split() == [recorded["train"], recorded["test"]]
    assert contents(sets) == before


def test_the_examples_of_cifar10_are_counted_by_their_ids(tiny_cifar10: Tiny, sets: Path):
    prepare("cifar10", tiny_cifar10.folder, sets)
    for split, (pixels, labels) in tiny_cifar10.parts.items():
        original = load("cifar10", split, original_order=True, folder=sets)
        np.testing.assert_array_equal(original.images, pixels, strict=True)
        np.testing.assert_array_equal(original.labels, labels.astype(np.int32), strict=True)
        assert original.class_names[::9] == ("airplane", "truck")
        shuffled = load("cifar10", split, folder=sets)
        assert shuffled.sha256 == RECIPES["cifar10"].sha256[split] != original.sha256


IDS = """
import sys
import tensorflow_datasets as tfds
for split, source in tfds.data_source("cifar10", data_dir=sys.argv[1]).items():
    print(*(example["id"].decode() for example in source))
"""


def test_the_ids_of_cifar10_are_those_of_tensorflow_datasets(tiny_cifar10: Tiny, sets: Path):
    prepare("cifar10", tiny_cifar10.folder, sets)
    train, test = run(IDS, sets).splitlines()
    assert train.split() == [f"train_{row:05d}" for row in order_of_tfds("train", 5 * BATCH)]
    assert test.split() == [f"test_{row:05d}" for row in order_of_tfds("test", BATCH)]


def test_cifar100_keeps_its_coarse_labels_and_the_names_of_both(
    tmp_path: Path, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_cifar, "_BATCH", BATCH)
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: [])
    coarse, fine = [f"kind_{n}" for n in range(20)], [f"thing_{n}" for n in range(100)]
    parts = {
        split: (pixels, labels, labels * 9 + 1)
        for split, (pixels, labels) in noise(6, (32, 32, 3), 5 * BATCH, BATCH).items()
    }
    held = {f"{split}.bin": cifar_batch(*arrays) for split, arrays in parts.items()}
    held["coarse_label_names.txt"] = "\n".join(coarse).encode()
    held["fine_label_names.txt"] = "\n".join(fine).encode()
    archive(tmp_path / "cifar-100-binary.tar.gz", held)

    prepared = prepare("cifar100", tmp_path, sets)
    for split, (pixels, coarse_labels, fine_labels) in parts.items():
        read = load("cifar100", split, original_order=True, folder=sets)
        np.testing.assert_array_equal(read.images, pixels, strict=True)
        np.testing.assert_array_equal(read.labels, fine_labels.astype(np.int32), strict=True)
        assert read.class_names == tuple(fine)
        builder: Any = tfds.builder_from_directory(prepared.folder)
        assert builder.info.features["coarse_label"].names == coarse
        examples = list(builder.as_data_source(split))
        order = order_of_tfds(split, len(pixels))
        assert [int(e["coarse_label"]) for e in examples] == coarse_labels[order].tolist()


def test_it_is_said_what_is_done_and_how_far_it_is(tiny_mnist: Tiny, sets: Path):
    heard = []
    prepare("mnist", tiny_mnist.folder, sets, lambda *words: heard.append(words))
    assert heard == [
        ("reading the files", 0, 0),
        ("writing mnist/train", 0, 60),
        ("writing mnist/test", 0, 10),
        ("checking mnist/train", 0, 0),
        ("checking mnist/test", 0, 0),
    ]


def test_what_is_printed_as_a_report_is_seen(
    tiny_mnist: Tiny, sets: Path, capsys: pytest.CaptureFixture[str]
):
    prepare("mnist", tiny_mnist.folder, sets, print)
    assert capsys.readouterr().out.splitlines()[1] == "writing mnist/train 0 60"


def test_without_a_folder_the_set_goes_where_tensorflow_datasets_keeps_its_own(
    tiny_mnist: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "kept here"))
    assert prepare("mnist", tiny_mnist.folder).folder.is_relative_to(tmp_path / "kept here")
    assert prepared_names(data_dir()) == ["mnist"]


# repeated, at once, and after one that was killed


def test_a_set_that_is_prepared_is_left_alone_and_needs_no_source(tiny_mnist: Tiny, sets: Path):
    first = prepare("mnist", tiny_mnist.folder, sets)
    before = contents(sets)
    assert prepare("mnist", Path("/nowhere"), sets) == first
    assert prepare("mnist", "npm", sets) == first
    assert contents(sets) == before


PREPARE = """
import sys
from pathlib import Path
from ffnn_jax.data.preparation import prepare
def on_progress(words, done, total):
    print(words, file=sys.__stdout__, flush=True)
    if words == sys.argv[2]:
        sys.stdin.read()
print(prepare("mnist_5k", folder=Path(sys.argv[1]), on_progress=on_progress).folder)
"""


def start(sets: Path, wait_at: str = "") -> subprocess.Popen:
    command = [sys.executable, "-c", PREPARE, str(sets), wait_at]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


def lines_of(process: subprocess.Popen) -> Iterator[str]:
    assert process.stdout
    return (line.strip() for line in process.stdout)


def test_of_two_preparations_at_once_one_waits_and_finds_the_set(sets: Path):
    """The first stops in the middle until the second says that it waits."""
    with start(sets, wait_at="writing mnist_5k/train") as first:
        assert next(lines_of(first)) == "writing mnist_5k/train"
        with start(sets) as second:
            line = next(lines_of(second))
            assert line == "waiting for another process that prepares mnist_5k"
            ends = [process.communicate(timeout=120) for process in (first, second)]
    assert [said for _, said in ends] == ["", ""]
    place = str(sets / "mnist_5k" / "1.0.0")
    assert [out.splitlines()[-1] for out, _ in ends] == [place, place]
    assert "writing" not in ends[1][0]
    assert prepared_names(sets) == ["mnist_5k"]
    prepared = find_prepared("mnist_5k", sets)
    assert prepared
    assert verify_prepared(prepared)


@pytest.mark.parametrize("stage", ["writing mnist_5k/test", "checking mnist_5k/test"])
def test_what_a_killed_preparation_left_is_removed_by_the_next(sets: Path, stage: str):
    with start(sets, wait_at=stage) as killed:
        assert stage in lines_of(killed)
        killed.kill()
        killed.communicate()
    assert (sets / ".ffnn_jax" / "mnist_5k.preparing").exists()
    assert prepared_names(sets) == []
    prepare("mnist_5k", folder=sets)
    left = sorted(path.name for path in (sets / ".ffnn_jax").iterdir() if path.suffix != ".lock")
    kept = ["mnist_5k-1.0.0-test", "mnist_5k-1.0.0-train", "mnist_5k-1.0.0-validation"]
    assert [name.rsplit("-", 1)[0] for name in left] == kept


def test_a_preparation_waits_for_the_lock_and_says_so(tiny_mnist: Tiny, sets: Path):
    (sets / ".ffnn_jax").mkdir(parents=True)
    heard = []
    with FileLock(sets / ".ffnn_jax" / "mnist.lock", thread_local=False) as lock:

        def on_progress(words: str, done: int, total: int) -> None:
            heard.append(words)
            lock.release()

        prepare("mnist", tiny_mnist.folder, sets, on_progress)
    assert heard[:2] == [
        "waiting for another process that prepares mnist",
        "reading the files",
    ]


def test_the_lock_is_held_while_a_set_is_prepared_and_no_longer(tiny_mnist: Tiny, sets: Path):
    lock, held = FileLock(sets / ".ffnn_jax" / "mnist.lock"), []

    def on_progress(words: str, done: int, total: int) -> None:
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)
        held.append(words)

    prepare("mnist", tiny_mnist.folder, sets, on_progress)
    assert "checking mnist/test" in held
    with lock.acquire(timeout=0):
        pass


# what ends in the middle


def interrupted(*arguments: object) -> None:
    raise KeyboardInterrupt


def disk_full(*arguments: object) -> None:
    raise OSError(28, "No space left on device")


def no_source(*arguments: object) -> None:
    raise UserError("no such files")


@pytest.mark.parametrize(
    "at",
    ["read_source", "require_recorded", "write_set", "verify_prepared", "require_written",
     "keep_entries"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("what", "becomes", "line"),
    [
        (interrupted, KeyboardInterrupt, None),
        (
            disk_full,
            UserError,
            r"mnist cannot be prepared in .*: \[Errno 28\] No space left on dev",
        ),
        (no_source, UserError, "no such files"),
    ],
)
def test_a_preparation_that_ends_in_the_middle_leaves_nothing(
    tiny_mnist: Tiny,
    sets: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    what: Callable,
    becomes: type[BaseException],
    line: str | None,
):
    with monkeypatch.context() as changed:
        changed.setattr(_prepare, at, what)
        with pytest.raises(becomes, match=line):
            prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)
    prepare("mnist", tiny_mnist.folder, sets)


@pytest.mark.parametrize("stage", ["writing mnist/test", "checking mnist/test"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_preparation_that_ends_while_it_writes_or_checks_leaves_nothing(
    tiny_mnist: Tiny, sets: Path, stage: str, error: BaseException
):
    def on_progress(words: str, done: int, total: int) -> None:
        if words == stage:
            raise error

    with pytest.raises((KeyboardInterrupt, UserError)):
        prepare("mnist", tiny_mnist.folder, sets, on_progress)
    require_nothing_prepared(sets)


def test_a_disk_without_room_is_rejected_before_anything_is_written(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    total, used, _ = shutil.disk_usage(tiny_mnist.folder)
    usage = type(shutil.disk_usage(tiny_mnist.folder))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(total, used, 54_000))
    with pytest.raises(
        UserError, match=rf"^mnist cannot be prepared in {sets}: .*has not that much"
    ):
        prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)


def test_a_place_that_is_no_folder_is_rejected(tiny_mnist: Tiny, sets: Path):
    sets.write_text("a file")
    with pytest.raises(UserError, match=f"^mnist cannot be prepared in {sets}: "):
        prepare("mnist", tiny_mnist.folder, sets)
    assert sets.read_text() == "a file"


# what is rejected


def test_an_unknown_set_is_rejected_with_the_nearest_and_what_else_there_is(sets: Path):
    with pytest.raises(UserError) as error:
        prepare("fashon_mnist", "official", sets)
    assert str(error.value) == (
        "'fashon_mnist' cannot be prepared here (known: mnist_5k, mnist, fashion_mnist, kmnist, "
        "cifar10, cifar100); did you mean fashion_mnist?; another set of tensorflow-datasets is "
        "read here once it is prepared, where TensorFlow is installed, by "
        "tfds.builder('fashon_mnist', file_format='array_record').download_and_prepare()"
    )
    assert not sets.exists()


def test_a_source_that_cannot_have_the_files_is_rejected_before_a_folder_is_made(sets: Path):
    for source in (sets / "nowhere", "npm"):
        with pytest.raises(UserError):
            prepare("mnist", source, sets)
    assert not sets.exists()


def record(monkeypatch: pytest.MonkeyPatch, name: str, **digests: Mapping[str, str]) -> Recipe:
    """Records other SHA-256 than the right ones."""
    recipe = dataclasses.replace(RECIPES[name], **digests)
    monkeypatch.setitem(RECIPES, name, recipe)
    return recipe


def test_files_with_other_contents_are_rejected_before_they_are_written(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    right = RECIPES["mnist"].original_sha256
    record(monkeypatch, "mnist", original_sha256={**right, "test": "0" * 64})
    monkeypatch.setattr(_prepare, "write_set", lambda *arguments: pytest.fail("was written"))
    with pytest.raises(UserError) as error:
        prepare("mnist", tiny_mnist.folder, sets)
    said = f"mnist: the files' test has SHA-256 {sha256(*tiny_mnist.parts['test'])}"
    assert str(error.value) == f"{said}, not {'0' * 64}"
    require_nothing_prepared(sets)


def test_a_set_that_comes_out_otherwise_is_rejected_and_not_put_in_its_place(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    right = RECIPES["mnist"].sha256
    record(monkeypatch, "mnist", sha256={**right, "test": "0" * 64})
    with pytest.raises(UserError, match=f"test has SHA-256 {right['test']}, not {'0' * 64}"):
        prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)


def test_a_pixel_that_is_written_wrong_is_found_though_no_sha256_is_recorded(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    record(monkeypatch, "mnist", sha256={}, original_sha256={})
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: [])
    write_set = _prepare.write_set

    def wrong(
        name: str, parts: dict[str, Part], folder: Path, on_progress: OnProgress
    ) -> PreparedSet:
        images = parts["test"].images.copy()
        images[3, 14, 14, 0] ^= 1
        changed = parts | {"test": dataclasses.replace(parts["test"], images=images)}
        return write_set(name, changed, folder, on_progress)

    monkeypatch.setattr(_prepare, "write_set", wrong)
    with pytest.raises(UserError, match=r"^mnist/test: what is read is not what was written$"):
        prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)


def test_a_folder_that_is_no_finished_set_is_rejected_and_left_as_it_is(
    tiny_mnist: Tiny, sets: Path
):
    place = sets / "mnist" / "3.0.1"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("keep")
    before = contents(place)
    with pytest.raises(UserError) as error:
        prepare("mnist", tiny_mnist.folder, sets)
    assert str(error.value) == f"{place} is not a finished data set; move it away"
    assert contents(place) == before
    assert not (sets / ".ffnn_jax").exists()


def test_a_damaged_file_of_a_prepared_set_is_found_when_it_is_prepared_again(
    tiny_mnist: Tiny, sets: Path
):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    (path,) = prepared.folder.glob("*test*record*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: "):
        prepare("mnist", tiny_mnist.folder, sets)
    assert path.read_bytes() == content


def test_another_set_in_the_place_of_the_recorded_one_is_rejected(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    right = RECIPES["mnist"].sha256
    record(monkeypatch, "mnist", sha256={**right, "train": "0" * 64})
    with pytest.raises(UserError) as error:
        prepare("mnist", tiny_mnist.folder, sets)
    said = f"{prepared.folder}: train has SHA-256 {right['train']}, not {'0' * 64}"
    assert str(error.value) == f"{said}; move that folder away and prepare it anew"


def test_a_prepared_set_that_lacks_a_recorded_split_is_rejected(tiny_mnist: Tiny, sets: Path):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    path = prepared.folder / "dataset_info.json"
    about = json.loads(path.read_text())
    about["splits"] = [split for split in about["splits"] if split["name"] != "test"]
    path.write_text(json.dumps(about))
    with pytest.raises(UserError, match=rf"^{prepared.folder}\b.*\btest\b"):
        prepare("mnist", tiny_mnist.folder, sets)


def test_a_set_that_is_recorded_is_said_to_be_verified_and_another_is_not(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    assert verify_prepared(prepared)
    record(monkeypatch, "mnist", sha256={})
    assert not verify_prepared(prepared)


def test_a_place_that_another_process_has_just_filled_is_not_in_the_way(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    """The set appears after this process has looked for it, and before it holds the lock."""
    first = prepare("mnist", tiny_mnist.folder, sets)
    looks = iter([None, first])
    monkeypatch.setattr(_prepare, "find_prepared", lambda name, folder: next(looks))
    assert prepare("mnist", tiny_mnist.folder, sets) == first


def test_the_lock_is_left_with_the_work_that_it_guards(sets: Path):
    sets.mkdir(parents=True, exist_ok=True)
    with _prepare._locked(sets / "a.lock", "mnist", print) as lock:
        assert lock.is_locked
    assert not lock.is_locked
