"""What a class has handed in: the students' folders, and the chapters in them."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ffnn_jax._errors import UserError
from ffnn_jax.course._chapters import CHAPTERS

_LARGEST_FILE = 1 << 20
Files = Mapping[str, bytes | None]
"""A student's chapters by name; None for what is not read."""


def students_in(folders: Sequence[str | Path]) -> dict[str, Files]:
    """The students' files by the names of their folders, or by paths where these are the same."""
    found = list(dict.fromkeys(f for folder in folders for f in _expanded(Path(folder).absolute())))
    names = Counter(folder.name for folder in found)
    return {f.name if names[f.name] == 1 else str(f): _read(f / "chapters") for f in found}


def chapters_that_count(chosen: Sequence[str], handed_in: Iterable[Files]) -> list[str]:
    """The chosen chapters, or those that half of the students with any have, in order."""
    with_any = [files for files in handed_in if files]
    counts = Counter(name for files in with_any for name in files)
    if not counts:
        raise UserError("--grade: no folder has chapters, as in FOLDER/chapters/dense.py")
    counted = chosen or [name for name, n in counts.items() if 2 * n >= len(with_any)]
    return [name for name in CHAPTERS if name in counted]


def _expanded(folder: Path) -> list[Path]:
    """A student's folder itself, or the students' folders in it."""
    if not folder.is_dir():
        raise UserError(f"--grade {folder}: no such folder")
    inside = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    is_class = not (folder / "chapters").is_dir() and any((f / "chapters").is_dir() for f in inside)
    return inside if is_class else [folder]


def _read(folder: Path) -> Files:
    if folder.is_symlink():  # to another student's
        return {}
    files = {name: folder / f"{name}.py" for name in CHAPTERS}
    return {name: _content(file) for name, file in files.items() if os.path.lexists(file)}


def _content(file: Path) -> bytes | None:
    """What is in a file, unless it is a link, a device, or larger than a chapter can be."""
    try:
        regular = file.is_file() and not file.is_symlink() and file.stat().st_size <= _LARGEST_FILE
        return file.read_bytes() if regular else None
    except OSError:
        return None
