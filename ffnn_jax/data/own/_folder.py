"""Pictures in folders: a sub-folder a class, in folders train, validation and test or without."""

from pathlib import Path

import numpy as np

from ffnn_jax._picture_files import picture_files, skipped_line
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.data.own._draw import name_digest
from ffnn_jax.data.own._paths import split_named
from ffnn_jax.data.own._source import UNDIVIDED, Part, Source


def sub_folders(folder: Path) -> list[Path]:
    """The sub-folders that are not hidden, sorted."""
    return sorted(
        one
        for one in folder.iterdir()
        if one.is_dir() and one.name[0] != "." and one.name != "__MACOSX"
    )


def folder_source(folder: Path) -> Source:
    """The pictures of a folder by class, and by split if it has folders of splits.

    They come as if shuffled, by a digest of their names: the last of them are of all classes.

    Raises:
        UserError: a class has no pictures, a split no classes, or test one that training lacks.
    """
    splits = _split_folders(folder)
    classes = {split: sub_folders(one) for split, one in splits.items()}
    names = tuple(sorted({one.name for folders in classes.values() for one in folders}))
    _require_trained(classes)
    aside: list[Path] = []
    parts = {}
    for split, folders in classes.items():
        files = [list(picture_files([one], aside)) for one in folders]
        paths = np.array([str(file) for one in files for file in one], object)
        numbers = [names.index(one.name) for one in folders]
        labels = np.repeat(numbers, [len(one) for one in files]).astype(np.int32)
        order = np.argsort([name_digest(path) for path in paths], kind="stable")
        parts[split] = Part(paths[order], labels[order])
        aside += [one for one in splits[split].iterdir() if one.is_file() and one.name[0] != "."]
    return Source(parts, names, (f"left out: {skipped_line(aside)}",) if aside else ())


def _split_folders(folder: Path) -> dict[str, Path]:
    """The folder of each split, or the folder itself if it has none."""
    found = {split: one for one in sub_folders(folder) if (split := split_named(one.name))}
    if not found:
        return {UNDIVIDED: folder}
    if "train" not in found:
        raise UserError(f"{folder}: has {', '.join(sorted(found))}, and no folder 'train'")
    for one in found.values():
        if not sub_folders(one):
            raise UserError(f"{one}: must have a sub-folder of pictures for each class, has none")
    return found


def _require_trained(classes: dict[str, list[Path]]) -> None:
    """Rejects a class that the training pictures lack: most likely its folder is misspelt."""
    trained = [one.name for one in classes.get("train", [])]
    for split, folders in classes.items():
        for one in folders:
            if trained and one.name not in trained:
                near = suggestion(one.name, trained)
                raise UserError(f"{one}: {split} has a class that train lacks{near}")
