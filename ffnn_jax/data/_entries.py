"""The entries of a cache of decoded images: folders of memory-mapped files, made once.

An entry is used only if its SHA-256 is the one recorded; a damaged one is made again.
"""

import contextlib
import hashlib
import json
import logging
import math
import re
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock

from ffnn_jax._files import patiently

_TEMPORARY = ".writing"
_ARRAYS = ("images", "labels", "original_order")
_log = logging.getLogger(__name__)


class Decoded(NamedTuple):
    """A decoded split: images uint8 (N, H, W, C) in tensorflow-datasets' order, labels int32 (N,).

    ``original_order`` has the indices in the order of the original files; it is of length 0 if the
    set does not record that order. ``sha256`` is that of ``Dataset``; ``facts`` are what else the
    entry records.
    """

    images: np.ndarray
    labels: np.ndarray
    original_order: np.ndarray
    class_names: tuple[str, ...]
    sha256: str
    facts: dict[str, Any]


def cached_entry(
    roots: Sequence[Path], name: str, decode_into: Callable[[Path], None]
) -> Decoded | None:
    """An entry of the first cache folder that has it, or where it can be made; else None."""
    for root in roots:
        cached = read_entry(root / name)
        if cached is not None:
            return cached
    failures = []
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / ".lock"):  # another process may have written it meanwhile
                return read_entry(root / name) or _write(root / name, decode_into)
        except OSError as error:
            failures.append(f"{root}: {error.strerror or error}")
    _log.warning("decoded images cannot be cached (%s)", "; ".join(failures))
    return None


def read_entry(entry: Path) -> Decoded | None:
    """Reads an entry; None if it is missing or damaged."""
    if not entry.is_dir():
        return None
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(Exception):
        about = json.loads((entry / "about.json").read_text(encoding="utf-8"))
        images, labels, order = (_memory_mapped(entry, name) for name in _ARRAYS)
        digest = hashlib.sha256(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(labels).data)
        names, facts = tuple(about["class_names"]), about.get("facts", {})
        result = Decoded(images, labels, order, names, digest.hexdigest(), facts)
        if _full_digest(digest, result) == about["sha256"]:
            return result
    return None


def _memory_mapped(entry: Path, name: str) -> np.ndarray:
    return np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _full_digest(digest: "hashlib._Hash", split: Decoded) -> str:
    """SHA-256 of the whole entry, continuing that of pixels and labels."""
    shapes = [(array.dtype.str, array.shape) for array in split[:3]]
    digest.update(np.ascontiguousarray(split.original_order).data)
    facts = [split.facts] if split.facts else []
    digest.update(json.dumps([shapes, split.class_names, *facts]).encode())
    return digest.hexdigest()


def _write(entry: Path, decode_into: Callable[[Path], None]) -> Decoded:
    """Decodes a split into an entry, which appears once complete; the caller holds the lock."""
    if entry.exists():
        _log.warning("%s is damaged; decoding it again", entry)
    temporary = entry.with_name(_TEMPORARY)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        decode_into(temporary)
        own = re.compile(re.escape(entry.name[:-16]) + "[0-9a-f]{16}")
        for old in filter(lambda path: own.fullmatch(path.name), entry.parent.iterdir()):
            shutil.rmtree(old, ignore_errors=True)  # on Windows some may be mapped elsewhere
        patiently(temporary.rename, entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    written = read_entry(entry)
    if written is None:
        raise OSError(f"{entry} does not match what was written to it")
    return written


class ImagesFile:
    """The images of an entry, written block by block, so that they need not fit into memory."""

    def __init__(self, folder: Path, image_shape: tuple[int, ...]) -> None:
        """The number of images is known at the end alone."""
        self._file, self._shape = (folder / "images.npy").open("wb"), image_shape
        self._write_header(0)

    def write(self, images: np.ndarray) -> None:
        """Adds uint8 images (n, H, W, C)."""
        self._file.write(images.data)

    def close(self) -> None:
        """Records the number of images."""
        written = self._file.tell() - self._start
        self._file.seek(0)
        self._write_header(written // math.prod(self._shape))
        self._file.close()

    def _write_header(self, count: int) -> None:
        """Its length is the same for any count: numpy leaves room for 21 digits."""
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()


def write_about(
    folder: Path, labels: np.ndarray, order: np.ndarray, names: tuple[str, ...],
    digest: "hashlib._Hash", facts: dict[str, Any],
) -> None:  # fmt: skip
    """Writes all of an entry but its images; the digest is that of pixels and labels."""
    images = _memory_mapped(folder, "images")
    result = Decoded(images, labels, order, names, digest.hexdigest(), facts)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "original_order.npy", order)
    about = {"class_names": names, "facts": facts, "sha256": _full_digest(digest, result)}
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
