"""Named arrays in one ``.npz`` file, with a manifest of what they must be.

The manifest is JSON in an array of bytes: a SHA-256 for each array, over dtype, shape and
content, and whatever else the writer wants known, with its own. Nothing is pickled. The file is
written under a temporary name and renamed when it is whole, so a file of the right name is a whole
file. What is read takes no more memory than the file has bytes, whatever its headers claim.
"""

import hashlib
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.models._formats import FORMAT, renamed_arrays, renamed_keys

_MANIFEST = "manifest"
_READ = (1, 2, FORMAT)
# What numpy and zipfile raise for files that are cut off, altered, or of another kind.
_DAMAGE = (
    OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Stored(NamedTuple):
    """What a file holds: arrays by name, what JSON says of them, and the format's version."""

    arrays: dict[str, np.ndarray]
    about: dict[str, Any]
    format: int


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Writes arrays and what JSON can say about them; a file already there is replaced.

    Raises:
        ValueError: an array is called "manifest".
    """
    if _MANIFEST in arrays:
        raise ValueError(f"save_arrays: the name {_MANIFEST!r} is taken")
    digests = {name: _digest(array) for name, array in arrays.items()}
    said = json.dumps(dict(about))
    manifest = {"format": FORMAT, "sha256": digests, "about_sha256": _of_text(said), "about": said}
    text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **{_MANIFEST: text}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_arrays(path: Path) -> Stored:
    """Reads what ``save_arrays`` wrote, in this format or an earlier one, by today's names.

    Raises:
        UserError: the file is missing, damaged, or not one of these.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as file:
            _require_room(path, file.infolist())
            arrays = {info.filename: _read(file, info) for info in file.infolist()}
        arrays = {name.removesuffix(".npy"): array for name, array in arrays.items()}
        manifest = json.loads(arrays.pop(_MANIFEST).tobytes())
        number = manifest["format"]
        digests, said = dict(manifest["sha256"]), str(manifest["about"])
        about, whole = dict(json.loads(said)), _of_text(said) == manifest["about_sha256"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged, or not written by ffnn_jax ({error})") from None
    if number not in _READ:
        known = ", ".join(map(str, _READ))
        raise UserError(f"{path}: format {number}, this version reads formats {known}")
    if not whole:
        raise UserError(f"{path}: what it says of its arrays is not what was saved")
    for name in sorted({*digests, *arrays}):
        if name not in arrays or digests.get(name) != _digest(arrays[name]):
            raise UserError(f"{path}: array {name!r} is not the one that was saved")
    if number < FORMAT:
        arrays, about = renamed_arrays(arrays), renamed_keys(about)
    return Stored(arrays, about, number)


def _require_room(path: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Rejects a file whose arrays claim to be more than it is."""
    claimed, size = sum(info.file_size for info in infos), path.stat().st_size
    if claimed > size:
        raise ValueError(f"its arrays claim {claimed:,} bytes, it has {size:,}")


def _read(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """One array, once its header is found to say what is there."""
    with file.open(info) as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{info.filename} has a header of another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        content = stream.read()
    if dtype.hasobject or len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{info.filename} is no {dtype} {shape}")
    order = "F" if fortran else "C"
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(array: np.ndarray) -> str:
    head = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()
