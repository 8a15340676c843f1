"""Pairs of IDX files, the format of MNIST, under any names, packed or not."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.own._paths import by_split
from ffnn_jax.data.own._source import Source, checked_images, checked_labels, source_of_arrays

_GZIP = b"\x1f\x8b"
_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4"}
_DAMAGE = OSError, EOFError, zlib.error, ValueError, struct.error


def is_idx(path: Path) -> bool:
    """Whether a file begins as an IDX file does."""
    try:
        head = _read(path, 4)
    except _DAMAGE:
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _TYPES and 1 <= head[3] <= 4


def idx_source(files: Sequence[Path]) -> Source:
    """The images and labels of IDX files, one pair a split, named by a word such as "train".

    Raises:
        UserError: a file is damaged, or the files of a split are not one of images and one of
            labels.
    """
    folder, pairs = files[0].parent, {}
    found, said = by_split(path.name for path in files)
    for split, names in found.items():
        arrays = {name: _array(folder / name) for name in names}
        of_labels, *of_images = sorted(names, key=lambda name: arrays[name].ndim)
        if arrays[of_labels].ndim != 1 or len(of_images) != 1:
            got = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            needed = f"{split} needs a file of images and one of labels".strip()
            raise UserError(f"{folder}: {needed}; the IDX files of integers are {got}")
        pixels = checked_images(str(folder / of_images[0]), arrays[of_images[0]])
        labels = checked_labels(str(folder / of_labels), arrays[of_labels], len(pixels))
        pairs[split] = pixels, labels
    return source_of_arrays(pairs, where=str(folder))._replace(remarks=said)


def _array(path: Path) -> np.ndarray:
    """The array of a file; no more is unpacked than its header says."""
    try:
        head = _read(path, 4)
        axes = head[3]
        shape = struct.unpack(f">{axes}i", _read(path, 4 + 4 * axes)[4:])
        dtype = np.dtype(_TYPES[head[2]])
        size = 4 + 4 * axes + math.prod(shape) * dtype.itemsize
        content = _read(path, size + 1)
        if len(content) != size:
            held = "more" if len(content) > size else f"{len(content):,}"
            raise ValueError(f"its header says {size:,} bytes, it holds {held}")
        return np.frombuffer(content, dtype, offset=4 + 4 * axes).reshape(shape)
    except (*_DAMAGE, MemoryError, OverflowError) as error:
        raise UserError(f"{path}: a damaged IDX file ({error})") from None


def _read(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        return file.read(size)
