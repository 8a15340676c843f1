"""A data set written as array_record files of PNG images by tensorflow-datasets' own builder."""

import contextlib
import hashlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data._cache import decoded
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._decode import Reader, quiet
from ffnn_jax.data._folders import PreparedSet, find_prepared
from ffnn_jax.data.preparation._parts import OnProgress, Part, no_progress_bars
from ffnn_jax.data.preparation._recipes import RECIPES

_EVERY = 500


def require_recorded(name: str, parts: dict[str, Part]) -> None:
    """Rejects pixels or labels that are not the recorded ones.

    Raises:
        UserError: a split has another SHA-256 than is recorded for the order of the files.
    """
    for split, recorded in RECIPES[name].original_sha256.items():
        images, labels = parts[split].images, parts[split].labels["label"].astype(np.int32)
        names = tuple(map(str, range(256)))
        found = Dataset(f"{name}/{split}", images, labels, names).sha256
        if found != recorded:
            raise UserError(f"{name}: the files' {split} has SHA-256 {found}, not {recorded}")


def write_set(
    name: str, parts: dict[str, Part], folder: Path, on_progress: OnProgress
) -> PreparedSet:
    """Writes a data set into a folder.

    Args:
        name: one of ``RECIPES``.
        parts: the examples of each split.
        folder: is empty but for what was fetched.
        on_progress: is told how far it is.

    Raises:
        OSError: the disk has not enough room, or fails.
    """
    need = sum(part.images.nbytes for part in parts.values())
    if shutil.disk_usage(folder).free < need:
        raise OSError(f"{need / 1e6:,.0f} MB are needed, and the disk has not that much left")
    screen = sys.stdout

    def tell(words: str, done: int, total: int) -> None:
        with contextlib.redirect_stdout(screen):
            on_progress(words, done, total)

    with quiet(), no_progress_bars() as tfds:
        builder = _builder(tfds, name, folder)
        for part in parts.values():
            for label, names in part.class_names.items():
                builder.info.features[label].names = names
        builder._split_generators = lambda manager: {
            split: _examples(name, split, part, "id" in builder.info.features, tell)
            for split, part in parts.items()
        }
        try:
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
        except RuntimeError as error:  # how array_record says that the disk is full
            raise OSError(" ".join(str(error).split())) from None
    written = find_prepared(name, folder)
    if written is None:
        raise UserError(f"{name}: tensorflow-datasets wrote nothing into {folder}")
    return written


def require_written(written: PreparedSet, parts: dict[str, Part]) -> None:
    """Every image with its label that went in must come out, in whatever order.

    Raises:
        UserError: something else comes out.
    """
    for split, part in parts.items():
        kept = decoded(written, split)
        label = Reader(written).features.label
        went_in = _fingerprints(part.images, part.labels[label])
        if sorted(_fingerprints(kept.images, kept.labels)) != sorted(went_in):
            raise UserError(f"{written.name}/{split}: what is read is not what was written")


def _builder(tfds: Any, name: str, folder: Path) -> Any:
    from ffnn_jax.data.preparation._mnist_5k import Mnist5k

    if name == Mnist5k.name:
        return Mnist5k(data_dir=folder, file_format="array_record")
    return tfds.builder(name, data_dir=folder, file_format="array_record")


def _examples(
    name: str, split: str, part: Part, has_id: bool, on_progress: OnProgress
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Examples as tensorflow-datasets' own builders make them, under the same keys."""
    count = len(part.images)
    keys = range(count) if part.keys is None else part.keys
    for index, (key, image) in enumerate(zip(keys, part.images, strict=True)):
        if index % _EVERY == 0:
            on_progress(f"writing {name}/{split}", index, count)
        example: dict[str, Any] = {"image": _png(image)}
        example |= {label: int(numbers[index]) for label, numbers in part.labels.items()}
        yield key, example | ({"id": f"{split}_{index:05d}"} if has_id else {})


def _png(image: np.ndarray) -> bytes:
    """An image as PNG: tensorflow-datasets needs TensorFlow to encode an array."""
    from PIL import Image

    encoded = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(encoded, "png")
    return encoded.getvalue()


def _fingerprints(images: np.ndarray, labels: np.ndarray) -> list[bytes]:
    return [
        hashlib.sha256(image.tobytes() + bytes([label])).digest()
        for image, label in zip(images, labels.tolist(), strict=True)
    ]
