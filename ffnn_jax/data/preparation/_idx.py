"""The IDX format of MNIST and its descendants: an integer header, then bytes."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation._archives import read_gzip
from ffnn_jax.data.preparation._parts import Part

_UNSIGNED_BYTES = 0x0800
_STEMS = {"train": ("train", 60_000), "test": ("t10k", 10_000)}
IDX_FILES = tuple(
    f"{stem}-{kind}-ubyte.gz"
    for stem, _ in _STEMS.values()
    for kind in ("images-idx3", "labels-idx1")
)


def read_idx_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Reads the four files of MNIST, Fashion-MNIST or KMNIST, given the path of each.

    Raises:
        UserError: a file is missing, damaged, or does not match its name.
    """
    return {
        split: Part(
            _read_idx(files[f"{stem}-images-idx3-ubyte.gz"], (count, 28, 28))[..., None],
            {"label": _read_idx(files[f"{stem}-labels-idx1-ubyte.gz"], (count,))},
        )
        for split, (stem, count) in _STEMS.items()
    }


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    header = struct.pack(f">{1 + len(shape)}i", _UNSIGNED_BYTES + len(shape), *shape)
    content = read_gzip(path, len(header) + int(np.prod(shape)))
    if content[: len(header)] != header:
        actual, expected = content[: len(header)].hex(" ", 4), header.hex(" ", 4)
        raise UserError(f"{path}: begins with {actual}, expected {expected} for IDX shape {shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
