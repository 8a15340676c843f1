"""Pictures in folders: a sub-folder a class, in folders train, validation and test or without."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ffnn_jax._picture_files import files_below, is_picture, skipped_line
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.data.own._draw import name_digest
from ffnn_jax.data.own._paths import left_out, split_named
from ffnn_jax.data.own._source import UNDIVIDED, Part, Source, printable


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
        UserError: a split has no pictures of classes, or one that training lacks, or a name is not
            UTF-8, which nothing could be written with.
    """
    splits, beside = _split_folders(folder)
    inside = {split: _by_class(one) for split, one in splits.items()}
    names = tuple(sorted({name for classes in inside.values() for name in classes}))
    for name in (str(folder), *names):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(f"{folder}: rename the folder {name!r}, which is not UTF-8") from None
    _require_trained(splits, inside)
    parts = {split: _part(classes, names) for split, classes in inside.items()}
    return Source(parts, printable(names), (*beside, *_left_out(splits, inside)))


def _by_class(folder: Path) -> dict[str, list[str]]:
    """The pictures of each class that has any."""
    found = {
        one.name: [file for file in files_below(one) if is_picture(file)]
        for one in sub_folders(folder)
    }
    if not any(found.values()):
        problem = "must have a sub-folder of pictures for each class, has none"
        raise UserError(f"{folder}: {problem}")
    return {name: files for name, files in found.items() if files}


def _part(classes: Mapping[str, list[str]], names: Sequence[str]) -> Part:
    paths = np.array([file for files in classes.values() for file in files], object)
    numbers = [names.index(name) for name in classes]
    labels = np.repeat(numbers, [len(files) for files in classes.values()]).astype(np.int32)
    order = np.argsort([name_digest(path) for path in paths], kind="stable")
    return Part(paths[order], labels[order])


def _left_out(
    splits: Mapping[str, Path], inside: Mapping[str, Mapping[str, list[str]]]
) -> Iterator[str]:
    """What the folders of the splits hold beside pictures of classes."""
    aside = []
    for split, folder in splits.items():
        aside += [Path(one) for one in files_below(folder) if not is_picture(one)]
        aside += [one for one in folder.iterdir() if is_picture(one) and one.is_file()]
        empty = [one.name for one in sub_folders(folder) if one.name not in inside[split]]
        if empty:
            yield f"left out: {folder} has no pictures in {', '.join(empty)}"
    if aside:
        yield f"left out: {skipped_line(aside)}"


def _split_folders(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The folder of each split, or the folder itself if it has none; and what is beside them."""
    found, beside = {}, [one.name for one in folder.iterdir() if is_picture(one) and one.is_file()]
    for one in sub_folders(folder):
        split = split_named(one.name)
        if split in found:
            problem = f"must be one folder a split, got {found[split].name}, {one.name}"
            raise UserError(f"{folder}: {problem}")
        if split:
            found[split] = one
        else:
            beside.append(one.name)
    if not found:
        return {UNDIVIDED: folder}, ()
    if "train" not in found:
        raise UserError(f"{folder}: has {', '.join(sorted(found))}, and no folder 'train'")
    return found, left_out(sorted(beside))


def _require_trained(
    splits: Mapping[str, Path], inside: Mapping[str, Mapping[str, list[str]]]
) -> None:
    """Rejects a class that the training pictures lack: most likely its folder is misspelt."""
    trained = inside.get("train", {})
    for split, classes in inside.items():
        for name in classes if trained else ():
            if name not in trained:
                near = suggestion(name, trained)
                where = splits[split] / name
                raise UserError(f"{where}: {split} has a class that train lacks{near}")
