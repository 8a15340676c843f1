"""Writes a data set as array_record files of PNG images with tensorflow-datasets' builder."""

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
from ffnn_jax.data._cache import read_decoded
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._decode import Reader, quiet
from ffnn_jax.data._folders import PreparedSet, find_prepared
from ffnn_jax.data.preparation._formats import OnProgress, Part
from ffnn_jax.data.preparation._sources import RECIPES

_PROGRESS_EVERY = 500


def require_original(name: str, parts: dict[str, Part]) -> None:
    """Rejects a split whose SHA-256, in the order of the files, differs from the recorded one."""
    for split, recorded in RECIPES[name].original_sha256.items():
        images, labels = parts[split].images, parts[split].labels["label"].astype(np.int32)
        names = tuple(map(str, range(256)))
        actual = Dataset(f"{name}/{split}", images, labels, names).sha256
        if actual != recorded:
            digests = f"SHA-256 {actual}, expected {recorded}"
            raise UserError(f"{name}: {split} in the source files has {digests}")


def write_set(
    name: str, parts: dict[str, Part], folder: Path, on_progress: OnProgress
) -> PreparedSet:
    """Writes a data set into a folder that is empty except for fetched files.

    Raises:
        OSError: the disk is full or failing.
    """
    need = sum(part.images.nbytes for part in parts.values())
    if shutil.disk_usage(folder).free < need:
        raise OSError(f"not enough disk space, {need / 1e6:,.0f} MB needed")
    stdout = sys.stdout

    def report(message: str, done: int, total: int) -> None:
        with contextlib.redirect_stdout(stdout):
            on_progress(message, done, total)

    with quiet(), contextlib.ExitStack() as afterwards:
        import tensorflow_datasets as tfds

        import ffnn_jax.data.preparation._mnist_5k  # noqa: F401  registers mnist_5k

        tfds.disable_progress_bar()  # in favour of ours
        afterwards.callback(tfds.enable_progress_bar)
        builder: Any = tfds.builder(name, data_dir=folder, file_format="array_record")
        for part in parts.values():
            for label, names in part.class_names.items():
                builder.info.features[label].names = names
        builder._split_generators = lambda manager: {
            split: _examples(name, split, part, "id" in builder.info.features, report)
            for split, part in parts.items()
        }
        try:
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
        except RuntimeError as error:  # raised by array_record on a full disk
            raise OSError(" ".join(str(error).split())) from None
    written = find_prepared(name, folder)
    if written is None:
        raise UserError(f"{name}: tensorflow-datasets wrote nothing to {folder}")
    return written


def require_written(written: PreparedSet, parts: dict[str, Part]) -> None:
    """Checks that exactly the images and labels written are read back, in any order."""
    for split, part in parts.items():
        decoded = read_decoded(written, split)
        label = Reader(written).features.label
        expected = _fingerprints(part.images, part.labels[label])
        if sorted(_fingerprints(decoded.images, decoded.labels)) != sorted(expected):
            raise UserError(f"{written.name}/{split}: the images read back are not those written")


def _examples(
    name: str, split: str, part: Part, has_id: bool, on_progress: OnProgress
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Examples as tensorflow-datasets' own builders yield them, with the same keys."""
    from PIL import Image

    count = len(part.images)
    keys = range(count) if part.keys is None else part.keys
    for index, (key, image) in enumerate(zip(keys, part.images, strict=True)):
        if index % _PROGRESS_EVERY == 0:
            on_progress(f"writing {name}/{split}", index, count)
        encoded = io.BytesIO()  # tensorflow-datasets would need TensorFlow to encode it
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(encoded, "png")
        example: dict[str, Any] = {"image": encoded.getvalue()}
        example |= {label: int(numbers[index]) for label, numbers in part.labels.items()}
        yield key, example | ({"id": f"{split}_{index:05d}"} if has_id else {})


def _fingerprints(images: np.ndarray, labels: np.ndarray) -> list[bytes]:
    return [
        hashlib.sha256(image.tobytes() + bytes([label])).digest()
        for image, label in zip(images, labels.tolist(), strict=True)
    ]
