"""Decoded images kept in files that are mapped into memory, so that the next start is quick.

A split is decoded once, into a folder beside the data set that is named after what it was decoded
from. Nothing is read from there that does not have the SHA-256 it was written with; what does not,
or is out of date, is decoded again. Reading needs neither tensorflow-datasets nor TensorFlow.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from platformdirs import user_cache_path

from ffnn_jax.data._decode import Reader
from ffnn_jax.data._folders import PreparedSet, cache_dir

_FORMAT = 1
_WRITING = ".writing"
_ARRAYS = ("images", "labels", "original_order")
_log = logging.getLogger(__name__)


class Decoded(NamedTuple):
    """A split, decoded.

    Attributes:
        images: uint8 (N, H, W, C), in tensorflow-datasets' order.
        labels: int32 (N,).
        original_order: int32 (N,), the rows in the order of the original files; of length 0
            where the set does not record that order.
        class_names: one name a class.
        sha256: of the pixels followed by the labels, as a ``Dataset`` has it.
    """

    images: np.ndarray
    labels: np.ndarray
    original_order: np.ndarray
    class_names: tuple[str, ...]
    sha256: str


def decoded(prepared: PreparedSet, split: str) -> Decoded:
    """A split's images, from where they were kept, else decoded and kept for the next time.

    They are kept beside the data set, else in the user's cache folder, else in memory alone.

    Raises:
        UserError: the set cannot be read; see ``Reader``.
    """
    name = _entry_name(prepared, split)
    roots = _roots(prepared)
    for root in roots:
        kept = _read(root / name)
        if kept is not None:
            return kept
    failures = []
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / ".lock"):  # whoever waited finds what the other has written
                return _read(root / name) or _write(root / name, prepared, split)
        except OSError as error:
            failures.append(f"{root}: {error.strerror or error}")
    _log.warning("decoded images cannot be kept (%s)", "; ".join(failures))
    return _in_memory(prepared, split)


def is_cached(prepared: PreparedSet, split: str) -> bool:
    """Whether a split's decoded images are kept, and are what was written."""
    name = _entry_name(prepared, split)
    return any(_read(root / name) is not None for root in _roots(prepared))


def keep_entries(root: Path, other: Path) -> None:
    """Moves decoded splits from one folder to another, where they are not there already."""
    for entry in root.glob("*-*"):
        with contextlib.suppress(OSError):
            entry.rename(other / entry.name)


def _roots(prepared: PreparedSet) -> list[Path]:
    """Where decoded splits are kept: beside the data set, or with the user's caches."""
    beside = prepared.folder.parents[len(Path(prepared.name).parts)]
    own = hashlib.sha256(str(beside.absolute()).encode()).hexdigest()[:16]
    return [cache_dir(beside), user_cache_path("ffnn_jax") / "decoded" / own]


def _entry_name(prepared: PreparedSet, split: str) -> str:
    """Names a split after the files that it is decoded from: their names, sizes and times."""
    files = sorted(path for path in prepared.folder.iterdir() if path.is_file())
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = hashlib.sha256(json.dumps([_FORMAT, prepared.name, split, stats]).encode())
    readable = f"{prepared.name}-{prepared.version}-{split}".replace("/", "+")
    return f"{readable}-{key.hexdigest()[:16]}"


def _read(entry: Path) -> Decoded | None:
    """What is kept in an entry, or None where nothing is or it is not what was written."""
    if not entry.is_dir():
        return None
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(Exception):
        about = json.loads((entry / "about.json").read_text(encoding="utf-8"))
        images, labels, order = (_mapped(entry, name) for name in _ARRAYS)
        digest = _digest(images, labels)
        kept = Decoded(images, labels, order, tuple(about["class_names"]), digest.hexdigest())
        if _finished(digest, kept) == about["sha256"]:
            return kept
    return None


def _mapped(entry: Path, name: str) -> np.ndarray:
    return np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _digest(images: np.ndarray, labels: np.ndarray) -> "hashlib._Hash":
    """SHA-256 of pixels and labels."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest


def _finished(digest: "hashlib._Hash", kept: Decoded) -> str:
    """SHA-256 of everything, from that of pixels and labels."""
    shapes = [(array.dtype.str, array.shape) for array in kept[:3]]
    digest.update(np.ascontiguousarray(kept.original_order).data)
    digest.update(json.dumps([shapes, kept.class_names]).encode())
    return digest.hexdigest()


def _write(entry: Path, prepared: PreparedSet, split: str) -> Decoded:
    """Decodes a split into an entry, which appears when it is whole; the lock is ours."""
    if entry.exists():
        _log.warning("%s is damaged; it is made anew", entry)
    beside = entry.with_name(_WRITING)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        _decode_into(beside, prepared, split)
        for old in _entries_of_the_same_split(entry):
            shutil.rmtree(old)
        beside.rename(entry)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    kept = _read(entry)
    if kept is None:
        raise OSError(f"{entry} is not what was written to it")
    return kept


def _entries_of_the_same_split(entry: Path) -> Iterator[Path]:
    """This one, damaged, and those of files that have changed since."""
    pattern = re.compile(re.escape(entry.name[:-16]) + "[0-9a-f]{16}")
    return (path for path in entry.parent.iterdir() if pattern.fullmatch(path.name))


def _decode_into(folder: Path, prepared: PreparedSet, split: str) -> None:
    """Writes a split block by block, so that it never has to fit into memory."""
    reader, count = Reader(prepared), sum(prepared.shard_lengths[split])
    shape = (count, *reader.features.image_shape)
    digest, labels, ids = hashlib.sha256(), [np.empty(0, np.int32)], []
    with (folder / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in reader.blocks(split):
            file.write(block.images.data)
            digest.update(block.images.data)
            labels.append(block.labels)
            ids += block.ids
    together, names = np.concatenate(labels), reader.features.class_names
    digest.update(together.data)
    order = _original_order(ids)
    kept = Decoded(_mapped(folder, "images"), together, order, names, digest.hexdigest())
    np.save(folder / "labels.npy", kept.labels)
    np.save(folder / "original_order.npy", kept.original_order)
    about = {"class_names": kept.class_names, "sha256": _finished(digest, kept)}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _in_memory(prepared: PreparedSet, split: str) -> Decoded:
    reader = Reader(prepared)
    blocks = list(reader.blocks(split))
    none = np.empty((0, *reader.features.image_shape), np.uint8)
    images = np.concatenate([none, *(block.images for block in blocks)])
    labels = np.concatenate([np.empty(0, np.int32), *(block.labels for block in blocks)])
    order = _original_order([id_ for block in blocks for id_ in block.ids])
    digest = _digest(images, labels).hexdigest()
    return Decoded(images, labels, order, reader.features.class_names, digest)


def _original_order(ids: list[bytes]) -> np.ndarray:
    """The rows in the order of the ids, if those count the examples as in b"train_00042"."""
    counted = [re.fullmatch(rb"(.*?)(\d{1,18})", id_, re.DOTALL) for id_ in ids]
    numbers = [int(match[2]) for match in counted if match]
    prefixes = {match[1] for match in counted if match}
    if len(prefixes) != 1 or sorted(numbers) != list(range(len(ids))):
        return np.empty(0, np.int32)
    return np.argsort(np.array(numbers)).astype(np.int32)
