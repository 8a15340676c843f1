"""Draws the splits that files do not give: of each class the same share, by a fixed hash."""

import hashlib
import io
import os
from collections import Counter

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.own._paths import stat_of
from ffnn_jax.data.own._source import UNDIVIDED, Part, Source

SHARE = 0.15
"""Of each class, for test and, where nothing is divided, for validation."""


def with_splits(source: Source, where: str = "arrays") -> Source:
    """The source with at least train and test; what it has drawn is remarked.

    Copies of a picture, byte by byte, stay in one split: what is learned is not in the test.
    """
    parts = dict(source.parts)
    drawn = ("test", "validation") if UNDIVIDED in parts else ("test",)
    if "train" in parts and not {*drawn} - {*parts}:
        return source
    if "train" not in parts and UNDIVIDED not in parts:
        raise UserError(f"{where}: has {', '.join(parts)}, and nothing to train on")
    train = parts.pop(UNDIVIDED, None) or parts.pop("train")
    chosen = _drawn(train, drawn)
    for number, split in enumerate(("train", *drawn)):
        rows = np.flatnonzero(chosen == number)
        if len(rows) or split != "validation":  # training images can be held out instead
            parts[split] = Part(train.images[rows], train.labels[rows])
    if not len(parts["test"].labels):
        problem = "too few images to set some aside for testing"
        raise UserError(f"{where}: {problem}: at least one class needs two different images")
    shares = " and ".join(f"{SHARE:.0%} of each class for {split}" for split in drawn)
    said = f"set aside by a fixed hash: {shares}"
    return Source(parts, source.class_names, (*source.remarks, said))


def _drawn(part: Part, splits: tuple[str, ...]) -> np.ndarray:
    """For each picture 0 for train, or 1, 2 for the splits; a class keeps one for train."""
    chosen, keys = np.zeros(len(part.labels), np.int8), _keys(part.images)
    for label in np.unique(part.labels):
        rows = np.flatnonzero(part.labels == label)
        different, rank = np.unique(keys[rows], return_inverse=True)
        count = max(round(SHARE * len(different)), 1)
        for number in range(len(splits), 0, -1):
            within = (rank >= (number - 1) * count) & (rank < number * count)
            chosen[rows[within & (rank < len(different) - 1)]] = number
    return chosen


def _keys(images: np.ndarray) -> np.ndarray:
    """A digest of each picture by which they are drawn, of its name or, as for copies, its content.

    So a picture that is added moves few others; a file whose size no other has is not read.
    """
    if images.dtype != object:
        return np.array([digest(image.tobytes()) for image in images])
    sizes = [stat_of(file).st_size for file in images]
    count = Counter(sizes)
    return np.array(
        [
            _content_digest(file) if size and count[size] > 1 else name_digest(file)
            for file, size in zip(images, sizes, strict=True)
        ]
    )


def _content_digest(file: str) -> str:
    try:
        with io.FileIO(file) as opened:  # a third of the time of Path.read_bytes
            return digest(opened.read())
    except OSError:  # it will be named among the damaged
        return name_digest(file)


def name_digest(file: str) -> str:
    """A digest of a file's name, which orders files as if they were drawn."""
    return digest(file.rpartition(os.sep)[2].encode(errors="surrogateescape"))


def digest(content: bytes) -> str:
    """A digest with a seed that never changes."""
    return hashlib.blake2b(content, digest_size=16, salt=b"ffnn_jax").hexdigest()
