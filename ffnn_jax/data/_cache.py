"""A cache of decoded images in memory-mapped files, so that the next start is quick.

A split is decoded once, into a folder beside the data set; named by a key of its source files.
An entry is used only if its SHA-256 is the one recorded; a damaged or outdated entry is
decoded again. Reading the cache needs neither tensorflow-datasets nor TensorFlow.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from ffnn_jax.data._decode import Reader
from ffnn_jax.data._entries import Decoded, ImagesFile, cached_entry, read_entry, write_about
from ffnn_jax.data._folders import PreparedSet, cache_dir

_FORMAT = 1


def read_decoded(prepared: PreparedSet, split: str) -> Decoded:
    """Reads a split from the cache, or decodes and caches it; raises as ``Reader``.

    The cache is beside the data set, or in the user's cache folder, or only in memory.
    """
    name = _entry_name(prepared, split)
    cached = cached_entry(
        _roots(prepared), name, lambda folder: _decode_into(folder, prepared, split)
    )
    if cached is not None:
        return cached
    reader = Reader(prepared)
    blocks = [np.empty((0, *reader.features.image_shape), np.uint8)]
    labels, order, digest = _decode(reader, split, blocks.append)
    names = reader.features.class_names
    return Decoded(np.concatenate(blocks), labels, order, names, digest.hexdigest(), {})


def is_cached(prepared: PreparedSet, split: str) -> bool:
    """Whether a split is cached, and its cache entry is intact."""
    name = _entry_name(prepared, split)
    return any(read_entry(root / name) is not None for root in _roots(prepared))


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


def _decode_into(folder: Path, prepared: PreparedSet, split: str) -> None:
    """Writes a split block by block, so that it need not fit into memory."""
    reader = Reader(prepared)
    with contextlib.closing(ImagesFile(folder, reader.features.image_shape)) as file:
        labels, order, digest = _decode(reader, split, file.write)
    write_about(folder, labels, order, reader.features.class_names, digest, {})


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
