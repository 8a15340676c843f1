"""Where data sets are: the folder of tensorflow-datasets, and the sets prepared in it."""

import atexit
import functools
import json
import logging
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from ffnn_jax.config import UserError

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_DESCRIPTION = "dataset_info.json"
_log = logging.getLogger(__name__)
_DAMAGE = OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError


class PreparedSet(NamedTuple):
    """A data set as written by tensorflow-datasets, named NAME or NAME/CONFIG.

    ``shard_lengths`` has the numbers of examples in each file of each split.
    """

    name: str
    version: str
    folder: Path
    file_format: str
    shard_lengths: dict[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Size on disk in bytes."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def data_dir(folder: str | Path | None = None) -> Path:
    """The folder given, or else that of tensorflow-datasets: TFDS_DATA_DIR, ~/tensorflow_datasets.

    Raises:
        UserError: it is not a local folder.
    """
    return local_folder(folder or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def local_folder(path: str | Path) -> Path:
    """A local folder, with ~ expanded.

    Raises:
        UserError: the path is a URL, or ~ cannot be expanded.
    """
    if "://" in str(path):
        raise UserError(f"the data folder must be a local folder, got {str(path)!r}")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"the data folder {str(path)!r} cannot be resolved: {error}") from None


@functools.cache
def temporary_folder(folder: Path, remedy: str) -> Path:
    """A folder in place of one that cannot be written to; it is removed with this process."""
    temporary = tempfile.mkdtemp(prefix="ffnn_jax-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    _log.warning("%s cannot be written to; %s", folder, remedy)
    return Path(temporary)


def cache_dir(folder: Path) -> Path:
    """Where this package keeps its own files for a data folder: decoded images, locks."""
    return folder / ".ffnn_jax"


def prepared_names(folder: Path) -> list[str]:
    """The names of the data sets prepared in a folder, NAME or NAME/CONFIG, sorted."""
    return sorted(set(_versions(folder)))


def find_prepared(name: str, folder: Path) -> PreparedSet | None:
    """The highest version of a data set that is prepared in a folder, or None.

    A set with configurations is found by its bare name if only one of them is prepared.

    Raises:
        UserError: several configurations are prepared, or the set's description is damaged.
    """
    versions = _versions(folder)
    configs = [known for known in versions if known.startswith(f"{name}/")]
    if name not in versions and len(configs) > 1:
        raise UserError(
            f"{name} has several configurations, choose one: {', '.join(sorted(configs))}"
        )
    chosen = name if name in versions else configs[0] if configs else None
    if chosen is None:
        return None
    newest = max(versions[chosen], key=lambda version: [*map(int, version.name.split("."))])
    return _read_description(chosen, newest)


def _versions(folder: Path) -> dict[str, list[Path]]:
    """The version folders of each set with a description."""
    versions: dict[str, list[Path]] = {}
    for pattern in (f"*/*/{_DESCRIPTION}", f"*/*/*/{_DESCRIPTION}"):
        for path in (description.parent for description in folder.glob(pattern)):
            name = path.parent.relative_to(folder).as_posix()
            if not name.startswith(".") and _VERSION.fullmatch(path.name):
                versions.setdefault(name, []).append(path)
    return versions


def _read_description(name: str, folder: Path) -> PreparedSet:
    try:
        about = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        lengths = {
            split["name"]: tuple(int(length) for length in split.get("shardLengths", ()))
            for split in about["splits"]
        }
        file_format = about.get("fileFormat") or "tfrecord"
    except _DAMAGE as error:
        raise UserError(f"{folder / _DESCRIPTION}: damaged ({error!r})") from None
    return PreparedSet(name, folder.name, folder, file_format, lengths)


def sample_digit() -> Path:
    """Path of a picture of the digit 3, dark on light; relative if below the working folder."""
    path, here = Path(__file__).with_name("three.png"), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
