"""The official file formats: IDX of MNIST and its descendants, and the binary archives of CIFAR.

Untrusted files are read into memory, and never more of them than the format allows. One that is
missing, damaged, or not what its name says is a UserError.
"""

import dataclasses
import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ffnn_jax.config import UserError

_UNSIGNED_BYTES = 0x0800
_STEMS = {"train": ("train", 60_000), "test": ("t10k", 10_000)}
IDX_FILES = tuple(
    f"{stem}-{kind}-ubyte.gz"
    for stem, _ in _STEMS.values()
    for kind in ("images-idx3", "labels-idx1")
)
CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR100_ARCHIVE = "cifar-100-binary.tar.gz"
CIFAR10_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
_BATCH = 10_000
_MAX_TEXT = 10_000
_LABELS: dict[str, tuple[str, ...]] = {"label": CIFAR10_NAMES}
_HEADERS = 1 << 20  # allowance for everything in a tar file besides the members' contents
# The exceptions of gzip and tarfile for truncated, altered or unrelated files.
_DAMAGE = (
    OSError, EOFError, zlib.error, tarfile.TarError, ValueError, IndexError, RecursionError,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Part:
    """A split in the order of the original files: images uint8 (N, H, W, C), labels uint8 (N,).

    Each label feature has labels, and maybe class names. The keys determine tensorflow-datasets'
    order; they are 0 to N - 1 if not given.
    """

    images: np.ndarray
    labels: dict[str, np.ndarray]
    class_names: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    keys: Sequence[int] | None = None


def read_idx_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Reads the four files of MNIST, Fashion-MNIST or KMNIST, given the path of each."""
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


def read_cifar10(files: Mapping[str, Path]) -> dict[str, Part]:
    """Reads CIFAR-10 from its binary archive: one label byte and 3,072 pixel bytes per example."""
    path, size = files[CIFAR10_ARCHIVE], _BATCH * (1 + _PIXELS)
    names = {split: [f"{batch}.bin" for batch in batches] for split, batches in BATCHES.items()}
    members = read_tar(path, {name: size for batches in names.values() for name in batches})
    return {
        split: _part(path, b"".join(members[name] for name in batches), _LABELS, len(batches))
        for split, batches in names.items()
    }


def read_cifar100(files: Mapping[str, Path]) -> dict[str, Part]:
    """Reads CIFAR-100 from its binary archive: a coarse and a fine label byte, then the pixels."""
    path, batches = files[CIFAR100_ARCHIVE], {"train": 5, "test": 1}
    sizes = {f"{split}.bin": count * _BATCH * (2 + _PIXELS) for split, count in batches.items()}
    texts = {"coarse_label": "coarse_label_names.txt", "label": "fine_label_names.txt"}
    members = read_tar(path, sizes | dict.fromkeys(texts.values(), _MAX_TEXT))
    names = {key: _lines(path, text, members[text]) for key, text in texts.items()}
    return {
        split: _part(path, members[f"{split}.bin"], names, count)
        for split, count in batches.items()
    }


def _lines(path: Path, name: str, content: bytes) -> tuple[str, ...]:
    try:
        return tuple(content.decode("ascii").split())
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {name} is not text ({error})") from None


def _part(path: Path, content: bytes, names: dict[str, tuple[str, ...]], batches: int) -> Part:
    """The examples of a split, each with a byte for each of the named labels."""
    width = len(names) + _PIXELS
    if len(content) != batches * _BATCH * width:
        actual = f"{len(content):,} bytes of examples"
        raise UserError(f"{path}: holds {actual}, must hold {batches * _BATCH * width:,}")
    rows = np.frombuffer(content, np.uint8).reshape(-1, width)
    images = rows[:, len(names) :].reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
    numbers = {label: rows[:, column] for column, label in enumerate(names)}
    return Part(np.ascontiguousarray(images), numbers, names)


def read_gzip(path: Path, size: int) -> bytes:
    """Reads a file that must hold ``size`` bytes, packed if it ends in .gz; at most one more."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(size + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged, or not a gzip file ({error})") from None
    if len(content) != size:
        actual = f"more than {size:,}" if len(content) > size else f"{len(content):,}"
        raise UserError(f"{path}: holds {actual} bytes, must hold {size:,}")
    return content


def read_tar(path: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
    """Reads the wanted members of a gzipped tar file, keyed by name without the folder.

    No more is unpacked than the wanted members' maximum sizes in bytes together. A path that is
    absolute or leaves the folder is rejected, as is a wanted member that occurs twice.
    """
    contents: dict[str, bytes] = {}
    try:
        with gzip.open(path) as unpacked:
            bounded = _Bounded(unpacked, path, sum(sizes.values()) + _HEADERS)
            with tarfile.open(fileobj=bounded, mode="r|") as tar:
                for member in tar:
                    parts = PurePosixPath(member.name)
                    leaves = parts.is_absolute() or ".." in parts.parts or "\\" in member.name
                    _require(path, repr(member.name), not leaves, "would leave the folder")
                    name = parts.name
                    if name in sizes:
                        _require(path, name, member.isreg(), "is not a plain file")
                        _require(path, name, name not in contents, "appears twice")
                        fits = member.size <= sizes[name]
                        _require(path, name, fits, f"holds more than {sizes[name]:,} bytes")
                        content = tar.extractfile(member)
                        contents[name] = content.read() if content else b""
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged, or not a gzipped tar file ({error})") from None
    for name in sizes:
        _require(path, name, name in contents, "is missing")
    return contents


class _Bounded(io.RawIOBase):
    """A stream that raises once more than ``size`` bytes are read."""

    def __init__(self, stream: gzip.GzipFile, path: Path, size: int) -> None:
        self._stream, self._path, self._size, self._left = stream, path, size, size

    def read(self, count: int = -1, /) -> bytes:
        content = self._stream.read(min(count, self._left + 1) if count >= 0 else self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise UserError(f"{self._path}: unpacks to more than {self._size:,} bytes")
        return content


def _require(path: Path, name: str, condition: bool, problem: str) -> None:
    if not condition:
        raise UserError(f"{path}: member {name} {problem}")
