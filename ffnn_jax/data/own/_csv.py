"""CSV files: a label and its pixels a line, with or without a header."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.own._paths import split_within
from ffnn_jax.data.own._source import Source, source_of_arrays, square_shape

_LABELS = ("label", "class", "target", "y")


def csv_source(files: Sequence[Path]) -> Source:
    """The images and labels of CSV files, one a split, named by a word such as "train".

    The label is the column that a header calls label, class, target or y, or else the first; the
    pixels, 0 to 255, are those of a square, row by row, of one in colour red, green, blue a pixel.

    Raises:
        UserError: a file is empty or no text, or a line is not a label and its pixels; the message
            names the line.
    """
    splits = [split_within(path.stem) if len(files) > 1 else "" for path in files]
    if len(set(splits)) < len(files):
        names = ", ".join(path.name for path in files)
        raise UserError(f"{files[0].parent}: must be one CSV file a split, by name, got {names}")
    return source_of_arrays(dict(zip(splits, map(_read, files), strict=True)))


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows, labels, column, width = [], [], 0, 0
    try:
        with path.open(encoding="utf-8-sig") as lines, warnings.catch_warnings(action="error"):
            for number, line in enumerate(lines, start=1):
                cells = line.rstrip("\r\n").split(",")
                names = [cell.strip(' "').lower() for cell in cells] if number == 1 else []
                if names and _is_header(names):
                    column = next((names.index(one) for one in _LABELS if one in names), 0)
                    continue
                if not line.strip():
                    continue
                if len(cells) == 1:
                    raise UserError(f"{path}: line {number} has no commas between its values")
                labels.append(cells.pop(column).strip(' "'))
                rows.append(_pixels(f"{path}: line {number}", cells))
                width = width or len(cells)
                if len(cells) != width:
                    problem = f"has {len(cells):,} pixels, the first {width:,}"
                    raise UserError(f"{path}: line {number} {problem}")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    if not rows:
        raise UserError(f"{path}: holds no images")
    shape = square_shape(str(path), width)
    return np.stack(rows).reshape(-1, *shape), np.array(labels)


def _is_header(names: list[str]) -> bool:
    """Whether the first line names its columns: the label's, or none by a number."""
    numbers = (name.replace(".", "", 1).isdecimal() for name in names)
    return not set(_LABELS).isdisjoint(names) or not any(numbers)


def _pixels(where: str, cells: list[str]) -> np.ndarray:
    try:
        values = np.array(cells, np.float64)
    except ValueError as error:
        raise UserError(f"{where}: pixels must be whole numbers from 0 to 255 ({error})") from None
    pixels = values.astype(np.uint8) if ((values >= 0) & (values <= 255)).all() else None
    if pixels is None or (pixels != values).any():
        wrong = next(cell for cell, v in zip(cells, values, strict=True) if v not in range(256))
        raise UserError(f"{where}: pixels must be whole numbers from 0 to 255, got {wrong.strip()}")
    return pixels
