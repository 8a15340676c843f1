"""Untrusted archives, read safely: into memory, and never more than the format allows."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ffnn_jax.config import UserError

_HEADERS = 1 << 20  # allowance for everything in a tar file besides the members' contents
# The exceptions of gzip and tarfile for truncated, altered or unrelated files.
_DAMAGE = (
    OSError, EOFError, zlib.error, tarfile.TarError, ValueError, IndexError, RecursionError,
)  # fmt: skip


def read_gzip(path: Path, size: int) -> bytes:
    """Reads a file that must hold ``size`` bytes, packed if it ends in .gz; at most one more.

    Raises:
        UserError: the file is missing or damaged, or holds fewer or more bytes.
    """
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

    Nothing is written to disk, and no more is unpacked than the wanted members' maximum sizes in
    bytes together.

    Raises:
        UserError: the file is missing or damaged; a member's path is absolute or leaves the
            folder; a wanted member is missing, duplicated, not a plain file, or too large.
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
