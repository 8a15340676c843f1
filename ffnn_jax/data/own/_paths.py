"""Which names of data sets are paths of one's own files, and which split a name stands for."""

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ffnn_jax.config import UserError, suggestion

_SUFFIXES = (".npz", ".csv")
_SPLITS = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation",
    "val": "validation", "test": "test", "testing": "test", "t10k": "test",
}  # fmt: skip


def is_path(name: str) -> bool:
    """Whether the name is written as a path: absolute, or beginning with . or ~, or a file's."""
    begins = name.startswith((".", "~")) or Path(name).is_absolute()
    return begins or name.lower().endswith(_SUFFIXES)


def own_path(name: str) -> Path:
    """The absolute path of one's own files.

    Raises:
        UserError: there is no such file or folder.
    """
    path = Path(name).expanduser().absolute()
    if not path.exists():
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"{name}: no such file or folder{suggestion(path.name, beside)}")
    return path


def stat_of(file: str) -> os.stat_result:
    """The status of a file, or of a link that leads nowhere."""
    try:
        return os.stat(file)  # noqa: PTH116  of ten thousand files, so without a Path
    except OSError:
        return Path(file).lstat()


def split_named(name: str) -> str | None:
    """The split that a whole name stands for, as validation for "val"."""
    return _SPLITS.get(name.lower())


def split_within(name: str) -> str:
    """The split that a word of a name stands for, as test for "t10k-images"; "" for none."""
    return next((split for word in _words(name) if (split := split_named(word))), "")


def by_split(names: Iterable[str]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The names of each split; beside splits, those that name none are left out and remarked."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(split_within(name), []).append(name)
    return found, left_out(found.pop("", [])) if len(found) > 1 else ()


def left_out(names: Sequence[str]) -> tuple[str, ...]:
    """What to say of names beside those of splits, if there are any."""
    words = (word for name in names for word in _words(name))
    meant = (one for word in words for one in difflib.get_close_matches(word, _SPLITS, 1, 0.75))
    near = next(meant, "")
    hint = f"; did you mean {near}?" * bool(near)
    said = f"left out: {', '.join(names)} (named as none of train, validation and test){hint}"
    return (said,) * bool(names)


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())
