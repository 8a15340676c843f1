"""Where data sets lie: the folder of tensorflow-datasets, and the sets prepared in it."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ffnn_jax.config import UserError

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_ABOUT = "dataset_info.json"


class PreparedSet(NamedTuple):
    """A data set as tensorflow-datasets has written it.

    Attributes:
        name: NAME, or NAME/CONFIG where the set has configurations.
        version: as in "3.0.1".
        folder: holds its files.
        file_format: "array_record" or another of tensorflow-datasets' formats.
        shard_lengths: examples in each file of each split.
    """

    name: str
    version: str
    folder: Path
    file_format: str
    shard_lengths: dict[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def data_dir() -> Path:
    """The folder of tensorflow-datasets: TFDS_DATA_DIR, or ~/tensorflow_datasets.

    Raises:
        UserError: it is not a folder of this machine.
    """
    return local_folder(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def local_folder(path: str | Path) -> Path:
    """The folder that a path means, with ~ expanded.

    Raises:
        UserError: the path is a URL, or ~ cannot be expanded.
    """
    if "://" in str(path):
        raise UserError(f"the data folder must be a folder of this machine, got {str(path)!r}")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"the data folder {str(path)!r} is not known: {error}") from None


def cache_dir(folder: Path) -> Path:
    """Where what this package makes of the sets in a folder is kept: decoded images, locks."""
    return folder / ".ffnn_jax"


def prepared_names(folder: Path) -> list[str]:
    """The names of the data sets prepared in a folder, NAME or NAME/CONFIG, in order."""
    return sorted(set(_versions(folder)))


def find_prepared(name: str, folder: Path) -> PreparedSet | None:
    """The highest version of a data set that is prepared in a folder, or None.

    A set with configurations is found by its bare name if one of them alone is prepared.

    Raises:
        UserError: several configurations are prepared, or the set's description is damaged.
    """
    versions = _versions(folder)
    configs = [known for known in versions if known.startswith(f"{name}/")]
    if name not in versions and len(configs) > 1:
        raise UserError(
            f"{name} has several configurations, name one: {', '.join(sorted(configs))}"
        )
    chosen = name if name in versions else configs[0] if configs else None
    return None if chosen is None else _described(chosen, max(versions[chosen], key=_number))


def _versions(folder: Path) -> dict[str, list[Path]]:
    """The version folders of each set that has a description."""
    found: dict[str, list[Path]] = {}
    for path in _version_folders(folder):
        found.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path)
    return found


def _version_folders(folder: Path) -> Iterator[Path]:
    for pattern in (f"*/*/{_ABOUT}", f"*/*/*/{_ABOUT}"):
        for about in folder.glob(pattern):
            hidden = about.relative_to(folder).parts[0].startswith(".")
            if not hidden and _VERSION.fullmatch(about.parent.name):
                yield about.parent


def _number(version_folder: Path) -> tuple[int, ...]:
    return tuple(map(int, version_folder.name.split(".")))


def _described(name: str, folder: Path) -> PreparedSet:
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        lengths = {
            split["name"]: tuple(int(length) for length in split.get("shardLengths", ()))
            for split in about["splits"]
        }
        file_format = about.get("fileFormat") or "tfrecord"
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise UserError(f"{folder / _ABOUT}: damaged ({error!r})") from None
    return PreparedSet(name, folder.name, folder, file_format, lengths)
