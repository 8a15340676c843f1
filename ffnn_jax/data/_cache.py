"""A cache of decoded images in memory-mapped files, so that the next start is quick.

A split is decoded once, into a folder beside the data set; named by a key of its source files.
An entry is used only if its SHA-256 is the one recorded; a damaged or outdated entry is
decoded again. Reading the cache needs neither tensorflow-datasets nor TensorFlow.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from platformdirs import user_cache_path

from ffnn_jax._files import patiently
from ffnn_jax.data._decode import Reader
from ffnn_jax.data._folders import PreparedSet, cache_dir

_FORMAT = 1
_TEMPORARY = ".writing"
_ARRAYS = ("images", "labels", "original_order")
_log = logging.getLogger(__name__)


class Decoded(NamedTuple):
    """A decoded split: images uint8 (N, H, W, C) in tensorflow-datasets' order, labels int32 (N,).

    ``original_order`` has the indices in the order of the original files; it is of length 0 if the
    set does not record that order. ``sha256`` is that of ``Dataset``.
    """

    images: np.ndarray
    labels: np.ndarray
    original_order: np.ndarray
    class_names: tuple[str, ...]
    sha256: str


def read_decoded(prepared: PreparedSet, split: str) -> Decoded:
    """Reads a split from the cache, or decodes and caches it; raises as ``Reader``.

    The cache is beside the data set, or in the user's cache folder, or only in memory.
    """
    name = _entry_name(prepared, split)
    roots = _roots(prepared)
    for root in roots:
        cached = _read(root / name)
        if cached is not None:
            return cached
    failures = []
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / ".lock"):  # another process may have written it meanwhile
                return _read(root / name) or _write(root / name, prepared, split)
        except OSError as error:
            failures.append(f"{root}: {error.strerror or error}")
    _log.warning("decoded images cannot be cached (%s)", "; ".join(failures))
    reader = Reader(prepared)
    blocks = [np.empty((0, *reader.features.image_shape), np.uint8)]
    labels, order, digest = _decode(reader, split, blocks.append)
    names = reader.features.class_names
    return Decoded(np.concatenate(blocks), labels, order, names, digest.hexdigest())


def is_cached(prepared: PreparedSet, split: str) -> bool:
    """Whether a split is cached, and its cache entry is intact."""
    name = _entry_name(prepared, split)
    return any(_read(root / name) is not None for root in _roots(prepared))


def keep_entries(root: Path, other: Path) -> None:
    """Moves cache entries from one folder to another, unless they already exist there."""
    for entry in root.glob("*-*"):
        with contextlib.suppress(OSError):
            entry.rename(other / entry.name)


def _roots(prepared: PreparedSet) -> list[Path]:
    """Cache folders, in order: beside the data set, then in the user's cache folder."""
    data_folder = prepared.folder.parents[len(Path(prepared.name).parts)]
    key = hashlib.sha256(str(data_folder.absolute()).encode()).hexdigest()[:16]
    return [cache_dir(data_folder), user_cache_path("ffnn_jax") / "decoded" / key]


def _entry_name(prepared: PreparedSet, split: str) -> str:
    """Names an entry after the names, sizes and times of the files it is decoded from."""
    files = sorted(path for path in prepared.folder.iterdir() if path.is_file())
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = hashlib.sha256(json.dumps([_FORMAT, prepared.name, split, stats]).encode())
    readable = f"{prepared.name}-{prepared.version}-{split}".replace("/", "+")
    return f"{readable}-{key.hexdigest()[:16]}"


def _read(entry: Path) -> Decoded | None:
    """Reads an entry; None if it is missing or damaged."""
    if not entry.is_dir():
        return None
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(Exception):
        about = json.loads((entry / "about.json").read_text(encoding="utf-8"))
        images, labels, order = (_memory_mapped(entry, name) for name in _ARRAYS)
        digest = hashlib.sha256(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(labels).data)
        result = Decoded(images, labels, order, tuple(about["class_names"]), digest.hexdigest())
        if _full_digest(digest, result) == about["sha256"]:
            return result
    return None


def _memory_mapped(entry: Path, name: str) -> np.ndarray:
    return np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _full_digest(digest: "hashlib._Hash", split: Decoded) -> str:
    """SHA-256 of the whole entry, continuing that of pixels and labels."""
    shapes = [(array.dtype.str, array.shape) for array in split[:3]]
    digest.update(np.ascontiguousarray(split.original_order).data)
    digest.update(json.dumps([shapes, split.class_names]).encode())
    return digest.hexdigest()


def _write(entry: Path, prepared: PreparedSet, split: str) -> Decoded:
    """Decodes a split into an entry, which appears once complete; the caller holds the lock."""
    if entry.exists():
        _log.warning("%s is damaged; decoding it again", entry)
    temporary = entry.with_name(_TEMPORARY)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        _decode_into(temporary, prepared, split)
        own = re.compile(re.escape(entry.name[:-16]) + "[0-9a-f]{16}")
        for old in filter(lambda path: own.fullmatch(path.name), entry.parent.iterdir()):
            shutil.rmtree(old, ignore_errors=True)  # on Windows some may be mapped elsewhere
        patiently(temporary.rename, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    written = _read(entry)
    if written is None:
        raise OSError(f"{entry} does not match what was written to it")
    return written


def _decode_into(folder: Path, prepared: PreparedSet, split: str) -> None:
    """Writes a split block by block, so that it need not fit into memory."""
    reader, count = Reader(prepared), sum(prepared.shard_lengths[split])
    shape = (count, *reader.features.image_shape)
    with (folder / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        labels, order, digest = _decode(reader, split, lambda images: file.write(images.data))
    images, names = _memory_mapped(folder, "images"), reader.features.class_names
    result = Decoded(images, labels, order, names, digest.hexdigest())
    np.save(folder / "labels.npy", result.labels)
    np.save(folder / "original_order.npy", result.original_order)
    about = {"class_names": result.class_names, "sha256": _full_digest(digest, result)}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _decode(
    reader: Reader, split: str, take: Callable[[np.ndarray], object]
) -> tuple[np.ndarray, np.ndarray, "hashlib._Hash"]:
    """Labels, original order, and SHA-256 of pixels and labels; images are passed on in blocks."""
    digest, labels, ids = hashlib.sha256(), [np.empty(0, np.int32)], []
    for block in reader.blocks(split):
        take(block.images)
        digest.update(block.images.data)
        labels.append(block.labels)
        ids += block.ids
    all_labels = np.concatenate(labels)
    digest.update(all_labels.data)
    return all_labels, _original_order(ids), digest


def _original_order(ids: list[bytes]) -> np.ndarray:
    """Indices in the order of the ids, if these number the examples, as in b"train_00042"."""
    matches = [re.fullmatch(rb"(.*?)(\d{1,18})", id_, re.DOTALL) for id_ in ids]
    numbers = [int(match[2]) for match in matches if match]
    prefixes = {match[1] for match in matches if match}
    if len(prefixes) != 1 or sorted(numbers) != list(range(len(ids))):
        return np.empty(0, np.int32)
    return np.argsort(np.array(numbers)).astype(np.int32)
