"""A set is complete and correct or absent, whatever is interrupted, fails or is repeated."""

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
from ffnn_jax.data import (
    OnProgress,
    PreparedSet,
    data_dir,
    find_prepared,
    load,
    prepared_names,
)
from ffnn_jax.data.preparation import (
    RECIPES,
    _formats,
    _prepare,
    _sources,
    prepare,
    verify_prepared,
)
from ffnn_jax.data.preparation._formats import Part
from ffnn_jax.data.preparation._sources import Recipe
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
    """The folder in which sets are prepared."""
    return tmp_path / "sets"


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file in a folder, with its size and modification time."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def require_nothing_prepared(sets: Path) -> None:
    """Checks that only locks are left: no set, temporary folder or decoded images."""
    assert prepared_names(sets) == []
    assert [path.suffix for path in sets.rglob("*") if path.is_file()] == [".lock"]
    assert [path.name for path in (sets / ".ffnn_jax").iterdir()] == ["mnist.lock"]
    with FileLock(sets / ".ffnn_jax" / "mnist.lock").acquire(timeout=0):
        pass


# prepared sets


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


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
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
RECIPES.clear()  # these are not the recorded digits
digests = [load("mnist", split, folder=Path(sys.argv[1])).sha256 for split in ("train", "test")]
print(*digests, *(m for m in ("jax", "tensorflow_datasets", "tensorflow") if m in sys.modules))
"""


def test_images_decoded_for_checking_are_not_decoded_again(tiny_mnist: Tiny, sets: Path):
    prepare("mnist", tiny_mnist.folder, sets)
    cached = sorted(path.name for path in (sets / ".ffnn_jax").iterdir() if path.is_dir())
    assert [name.rsplit("-", 1)[0] for name in cached] == ["mnist-3.0.1-test", "mnist-3.0.1-train"]
    before = contents(sets)
    recorded = RECIPES["mnist"].sha256
    assert run(LOAD, sets).split() == [recorded["train"], recorded["test"]]
    assert contents(sets) == before


def test_the_ids_of_cifar10_give_the_original_order(tiny_cifar10: Tiny, sets: Path):
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


def test_the_ids_of_cifar10_match_tensorflow_datasets(tiny_cifar10: Tiny, sets: Path):
    prepare("cifar10", tiny_cifar10.folder, sets)
    train, test = run(IDS, sets).splitlines()
    assert train.split() == [f"train_{row:05d}" for row in order_of_tfds("train", 5 * BATCH)]
    assert test.split() == [f"test_{row:05d}" for row in order_of_tfds("test", BATCH)]


def test_cifar100_keeps_its_coarse_labels_and_all_class_names(
    tmp_path: Path, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_formats, "_BATCH", BATCH)
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: [])
    coarse, fine = [f"kind_{n}" for n in range(20)], [f"thing_{n}" for n in range(100)]
    parts = {
        split: (pixels, labels, labels * 9 + 1)
        for split, (pixels, labels) in noise(6, (32, 32, 3), 5 * BATCH, BATCH).items()
    }
    members = {f"{split}.bin": cifar_batch(*arrays) for split, arrays in parts.items()}
    members["coarse_label_names.txt"] = "\n".join(coarse).encode()
    members["fine_label_names.txt"] = "\n".join(fine).encode()
    archive(tmp_path / "cifar-100-binary.tar.gz", members)

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


def test_progress_is_reported(tiny_mnist: Tiny, sets: Path):
    reports = []
    prepare("mnist", tiny_mnist.folder, sets, lambda *report: reports.append(report))
    assert reports == [
        ("reading the files", 0, 0),
        ("writing mnist/train", 0, 60),
        ("writing mnist/test", 0, 10),
        ("checking mnist/train", 0, 0),
        ("checking mnist/test", 0, 0),
    ]


def test_a_progress_callback_can_print(
    tiny_mnist: Tiny, sets: Path, capsys: pytest.CaptureFixture[str]
):
    prepare("mnist", tiny_mnist.folder, sets, print)
    assert capsys.readouterr().out.splitlines()[1] == "writing mnist/train 0 60"


def test_the_default_folder_is_that_of_tensorflow_datasets(
    tiny_mnist: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "default"))
    assert prepare("mnist", tiny_mnist.folder).folder.is_relative_to(tmp_path / "default")
    assert prepared_names(data_dir()) == ["mnist"]


# repeated, concurrent, and after a killed preparation


def test_a_prepared_set_is_left_alone_and_needs_no_source(tiny_mnist: Tiny, sets: Path):
    first = prepare("mnist", tiny_mnist.folder, sets)
    before = contents(sets)
    assert prepare("mnist", Path("/nowhere"), sets) == first
    assert prepare("mnist", "npm", sets) == first
    assert contents(sets) == before


PREPARE = """
import sys
from pathlib import Path
from ffnn_jax.data.preparation import prepare
def on_progress(message, done, total):
    print(message, file=sys.__stdout__, flush=True)
    if message == sys.argv[2]:
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


def test_of_two_concurrent_preparations_one_waits_and_finds_the_set(sets: Path):
    """The first pauses in the middle until the second reports that it is waiting."""
    with start(sets, wait_at="writing mnist_5k/train") as first:
        assert next(lines_of(first)) == "writing mnist_5k/train"
        with start(sets) as second:
            line = next(lines_of(second))
            assert line == "waiting for another process that is preparing mnist_5k"
            outputs = [process.communicate(timeout=120) for process in (first, second)]
    assert [errors for _, errors in outputs] == ["", ""]
    place = str(sets / "mnist_5k" / "1.0.0")
    assert [output.splitlines()[-1] for output, _ in outputs] == [place, place]
    assert "writing" not in outputs[1][0]
    assert prepared_names(sets) == ["mnist_5k"]
    prepared = find_prepared("mnist_5k", sets)
    assert prepared
    assert verify_prepared(prepared)


@pytest.mark.parametrize("stage", ["writing mnist_5k/test", "checking mnist_5k/test"])
def test_leftovers_of_a_killed_preparation_are_removed_by_the_next(sets: Path, stage: str):
    with start(sets, wait_at=stage) as killed:
        assert stage in lines_of(killed)
        killed.kill()
        killed.communicate()
    assert (sets / ".ffnn_jax" / "mnist_5k.preparing").exists()
    assert prepared_names(sets) == []
    prepare("mnist_5k", folder=sets)
    left = sorted(path.name for path in (sets / ".ffnn_jax").iterdir() if path.suffix != ".lock")
    expected = ["mnist_5k-1.0.0-test", "mnist_5k-1.0.0-train", "mnist_5k-1.0.0-validation"]
    assert [name.rsplit("-", 1)[0] for name in left] == expected


def test_a_preparation_reports_that_it_waits_for_the_lock(tiny_mnist: Tiny, sets: Path):
    (sets / ".ffnn_jax").mkdir(parents=True)
    messages = []
    with FileLock(sets / ".ffnn_jax" / "mnist.lock", thread_local=False) as lock:

        def on_progress(message: str, done: int, total: int) -> None:
            messages.append(message)
            lock.release()

        prepare("mnist", tiny_mnist.folder, sets, on_progress)
    assert messages[:2] == [
        "waiting for another process that is preparing mnist",
        "reading the files",
    ]


def test_the_lock_is_held_while_a_set_is_prepared_and_no_longer(tiny_mnist: Tiny, sets: Path):
    lock, messages = FileLock(sets / ".ffnn_jax" / "mnist.lock"), []

    def on_progress(message: str, done: int, total: int) -> None:
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)
        messages.append(message)

    prepare("mnist", tiny_mnist.folder, sets, on_progress)
    assert "checking mnist/test" in messages
    with lock.acquire(timeout=0):
        pass


# preparations that end early


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
    ("failure", "error", "line"),
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
def test_a_preparation_that_fails_leaves_nothing(
    tiny_mnist: Tiny,
    sets: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    failure: Callable,
    error: type[BaseException],
    line: str | None,
):
    with monkeypatch.context() as changed:
        changed.setattr(_prepare, at, failure)
        with pytest.raises(error, match=line):
            prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)
    prepare("mnist", tiny_mnist.folder, sets)


@pytest.mark.parametrize("stage", ["writing mnist/test", "checking mnist/test"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_preparation_that_fails_while_writing_or_checking_leaves_nothing(
    tiny_mnist: Tiny, sets: Path, stage: str, error: BaseException
):
    def on_progress(message: str, done: int, total: int) -> None:
        if message == stage:
            raise error

    with pytest.raises((KeyboardInterrupt, UserError)):
        prepare("mnist", tiny_mnist.folder, sets, on_progress)
    require_nothing_prepared(sets)


def test_insufficient_disk_space_is_rejected_before_anything_is_written(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    total, used, _ = shutil.disk_usage(tiny_mnist.folder)
    usage = type(shutil.disk_usage(tiny_mnist.folder))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(total, used, 54_000))
    with pytest.raises(
        UserError, match=rf"^mnist cannot be prepared in {sets}: not enough disk space"
    ):
        prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)


def test_a_destination_that_is_not_a_folder_is_rejected(tiny_mnist: Tiny, sets: Path):
    sets.write_text("a file")
    with pytest.raises(UserError, match=f"^mnist cannot be prepared in {sets}: "):
        prepare("mnist", tiny_mnist.folder, sets)
    assert sets.read_text() == "a file"


# rejected sets and sources


def test_an_unknown_set_is_rejected_with_the_nearest_and_the_known_ones(sets: Path):
    with pytest.raises(UserError) as error:
        prepare("fashon_mnist", "official", sets)
    assert str(error.value) == (
        "'fashon_mnist' cannot be prepared here (known: mnist_5k, mnist, fashion_mnist, kmnist, "
        "cifar10, cifar100); did you mean fashion_mnist?; other sets of tensorflow-datasets can be "
        "used once prepared where TensorFlow is installed, with "
        "tfds.builder('fashon_mnist', file_format='array_record').download_and_prepare()"
    )
    assert not sets.exists()


def test_a_source_without_the_files_is_rejected_before_a_folder_is_created(sets: Path):
    for source in (sets / "nowhere", "npm"):
        with pytest.raises(UserError):
            prepare("mnist", source, sets)
    assert not sets.exists()


def record(monkeypatch: pytest.MonkeyPatch, name: str, **digests: Mapping[str, str]) -> Recipe:
    """Replaces recorded SHA-256."""
    recipe = dataclasses.replace(RECIPES[name], **digests)
    monkeypatch.setitem(RECIPES, name, recipe)
    return recipe


def test_source_files_with_other_contents_are_rejected_before_writing(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    correct = RECIPES["mnist"].original_sha256
    record(monkeypatch, "mnist", original_sha256={**correct, "test": "0" * 64})
    monkeypatch.setattr(_prepare, "write_set", lambda *arguments: pytest.fail("was written"))
    with pytest.raises(UserError) as error:
        prepare("mnist", tiny_mnist.folder, sets)
    actual = sha256(*tiny_mnist.parts["test"])
    digests = f"SHA-256 {actual}, expected {'0' * 64}"
    assert str(error.value) == f"mnist: test in the source files has {digests}"
    require_nothing_prepared(sets)


def test_a_set_with_another_sha256_is_rejected_and_not_installed(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    correct = RECIPES["mnist"].sha256
    record(monkeypatch, "mnist", sha256={**correct, "test": "0" * 64})
    with pytest.raises(UserError, match=f"test has SHA-256 {correct['test']}, expected {'0' * 64}"):
        prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)


def test_a_wrong_pixel_is_found_even_without_recorded_sha256(
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
    with pytest.raises(
        UserError, match=r"^mnist/test: the images read back are not those written$"
    ):
        prepare("mnist", tiny_mnist.folder, sets)
    require_nothing_prepared(sets)


def test_an_unfinished_set_is_rejected_and_left_unchanged(tiny_mnist: Tiny, sets: Path):
    place = sets / "mnist" / "3.0.1"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("keep")
    before = contents(place)
    with pytest.raises(UserError) as error:
        prepare("mnist", tiny_mnist.folder, sets)
    assert str(error.value) == f"{place} is not a finished data set; move it away"
    assert contents(place) == before
    assert not (sets / ".ffnn_jax").exists()


def test_preparing_again_finds_a_damaged_file(tiny_mnist: Tiny, sets: Path):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    (path,) = prepared.folder.glob("*test*record*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: "):
        prepare("mnist", tiny_mnist.folder, sets)
    assert path.read_bytes() == content


def test_a_prepared_set_with_another_sha256_is_rejected(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    correct = RECIPES["mnist"].sha256
    record(monkeypatch, "mnist", sha256={**correct, "train": "0" * 64})
    with pytest.raises(UserError) as error:
        prepare("mnist", tiny_mnist.folder, sets)
    line = f"{prepared.folder}: train has SHA-256 {correct['train']}, expected {'0' * 64}"
    assert str(error.value) == f"{line}; move that folder away and prepare the set again"


def test_a_prepared_set_that_lacks_a_recorded_split_is_rejected(tiny_mnist: Tiny, sets: Path):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    path = prepared.folder / "dataset_info.json"
    about = json.loads(path.read_text())
    about["splits"] = [split for split in about["splits"] if split["name"] != "test"]
    path.write_text(json.dumps(about))
    with pytest.raises(UserError, match=rf"^{prepared.folder}\b.*\btest\b"):
        prepare("mnist", tiny_mnist.folder, sets)


def test_only_a_set_with_recorded_sha256_is_verified(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared = prepare("mnist", tiny_mnist.folder, sets)
    assert verify_prepared(prepared)
    record(monkeypatch, "mnist", sha256={})
    assert not verify_prepared(prepared)


def test_a_set_that_another_process_has_just_prepared_is_returned(
    tiny_mnist: Tiny, sets: Path, monkeypatch: pytest.MonkeyPatch
):
    """The set appears after the first search and before this process holds the lock."""
    first = prepare("mnist", tiny_mnist.folder, sets)
    results = iter([None, first])
    monkeypatch.setattr(_prepare, "find_prepared", lambda name, folder: next(results))
    assert prepare("mnist", tiny_mnist.folder, sets) == first


def test_the_lock_is_released_after_the_work_it_guards(sets: Path):
    sets.mkdir(parents=True, exist_ok=True)
    with _prepare._locked(sets / "a.lock", "mnist", print) as lock:
        assert lock.is_locked
    assert not lock.is_locked
