"""Named arrays in one ``.npz`` file, with a manifest that verifies them.

The manifest is JSON in an array of bytes: a SHA-256 for each array, over dtype, shape and
content, and the writer's metadata with its own SHA-256. Nothing is pickled. The file is written
under a temporary name and renamed once complete, so a file with the right name is complete.
Reading takes no more memory than the file has bytes, whatever its headers claim.
"""

import hashlib
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ffnn_jax._files import patiently
from ffnn_jax.config import UserError

_MANIFEST, FORMAT = "manifest", 3
# Raised by numpy and zipfile for files that are truncated, altered, or of another kind.
_DAMAGE = (
    OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Stored(NamedTuple):
    """The contents of a file: arrays by name, JSON metadata, and the format version."""

    arrays: dict[str, np.ndarray]
    about: dict[str, Any]
    format: int


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Writes arrays and JSON metadata, replacing an existing file.

    Raises:
        ValueError: an array is called "manifest".
    """
    if _MANIFEST in arrays:
        raise ValueError(f"save_arrays: the name {_MANIFEST!r} is reserved")
    digests = {name: _digest(array) for name, array in arrays.items()}
    text = json.dumps(dict(about))
    manifest = {"format": FORMAT, "sha256": digests, "about_sha256": _sha256(text), "about": text}
    encoded = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **{_MANIFEST: encoded}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        patiently(part.replace, path)
    finally:
        part.unlink(missing_ok=True)


def load_arrays(path: Path) -> Stored:
    """Reads a file of ``save_arrays``.

    Raises:
        UserError: the file is missing, damaged, or of another kind or format.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as file:
            infos, size = file.infolist(), path.stat().st_size
            claimed = sum(info.file_size for info in infos)
            if claimed > size:
                raise ValueError(f"its arrays claim {claimed:,} bytes, it has {size:,}")
            arrays = {info.filename: _read(file, info) for info in infos}
        arrays = {name.removesuffix(".npy"): array for name, array in arrays.items()}
        manifest = json.loads(arrays.pop(_MANIFEST).tobytes())
        version = manifest["format"]
        digests, text = dict(manifest["sha256"]), str(manifest["about"])
        about, intact = dict(json.loads(text)), _sha256(text) == manifest["about_sha256"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged, or not written by ffnn_jax ({error})") from None
    if version != FORMAT:
        raise UserError(f"{path}: format {version}, this version reads format {FORMAT}")
    if not intact:
        raise UserError(f"{path}: its metadata is not what was saved")
    for name in sorted({*digests, *arrays}):
        if name not in arrays or digests.get(name) != _digest(arrays[name]):
            raise UserError(f"{path}: array {name!r} is not the one that was saved")
    return Stored(arrays, about, version)


def _read(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array, and checks its content against its header."""
    with file.open(info) as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{info.filename} has an unsupported header version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        content = stream.read()
    if dtype.hasobject or len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{info.filename} does not contain {dtype} {shape}")
    order = "F" if fortran else "C"
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(array: np.ndarray) -> str:
    header = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()
