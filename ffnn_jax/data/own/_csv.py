"""CSV files: a label and its pixels a line, with or without a header."""

import csv
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.own._paths import by_split
from ffnn_jax.data.own._source import Source, source_of_arrays, square_shape

_LABELS = ("label", "class", "target", "y")
_NUMBER, _WHOLE = re.compile(r"-?\d*(\.\d*)?"), re.compile(r"-?\d+(\.0*)?")
_LOOKED_AT = 1000  # lines of each file, to tell which column is the label
_MOST = 0.98  # of them with one value: more is the edge of pictures


def csv_source(files: Sequence[Path]) -> Source:
    """The images and labels of CSV files, one a split, named by a word such as "train".

    The label is the column that a header calls label, class, target or y, or else the first or the
    last, by their values; the pixels, 0 to 255, are those of a square, row by row, of one in colour
    red, green, blue a pixel.

    Raises:
        UserError: a file is empty or no text, a line is not a label and its pixels, or either end
            could be the label; the message names file or line.
    """
    folder, said = files[0].parent, ()
    found = {"": [files[0].name]}
    if len(files) > 1:
        found, said = by_split(path.name for path in files)
    if more := next((names for names in found.values() if len(names) > 1), None):
        raise UserError(f"{folder}: must be one CSV file a split, got {', '.join(more)}")
    paths = {split: folder / name for split, (name,) in found.items()}
    first = next(iter(paths.values()))
    _require_labels_named_alike([*paths.values()])
    label = _label_column([ends for path in paths.values() for ends in _ends(path)], first)
    arrays = {split: _read(path, label) for split, path in paths.items()}
    source = source_of_arrays(arrays, where=str(folder if len(paths) > 1 else first))
    last = "its last column was taken as the label (a header can name another)"
    return source._replace(remarks=(*said, *[f"{first.name}: {last}"] * -label))


def _require_labels_named_alike(paths: Sequence[Path]) -> None:
    """Rejects a header without a label beside one with it: most likely, its images have none."""
    firsts = [next(_lines(path), (0, []))[1] for path in paths]
    headers = [[cell.strip().lower() for cell in cells] for cells in firsts]
    named = [not set(_LABELS).isdisjoint(header) for header in headers]
    for path, header, has_label in zip(paths, headers, named, strict=True):
        if header and _is_header(header) and any(named) and not has_label:
            problem = "its header has no label; without this file, test images are set aside"
            raise UserError(f"{path}: {problem}")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not empty, and its number."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in (lines := csv.reader(file, skipinitialspace=True, strict=True)):
                if len(cells) > 1 or "".join(cells).strip():
                    yield lines.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _ends(path: Path) -> list[tuple[str, str]]:
    """The first and last cells of the first lines, without a header; none if that has the label."""
    ends, names = [], []
    for number, cells in islice(_lines(path), _LOOKED_AT):
        names = names or [cell.strip().lower() for cell in cells]
        if number > 1 or not _is_header(names):
            ends.append((cells[0].strip(), cells[-1].strip()))
    return ends if set(_LABELS).isdisjoint(names) else []


def _label_column(lines: Sequence[tuple[str, str]], path: Path) -> int:
    """0 or -1, where the values are those of labels; 0 if the first column has one value alone."""
    ends = list(zip(*lines, strict=True)) or [(), ()]
    first, last = (len(set(end)) for end in ends)
    like = tuple(map(_like_labels, ends))
    if like == (True, True) and 2 * min(first, last) <= max(first, last):
        return 0 if first <= last else -1
    if like[0] == like[1] and first > 1 and last > 1:
        problem = "either the first or the last column could be the label"
        raise UserError(f"{path}: {problem}; add a header line, as in label,1,2,3,...")
    return -1 if like == (False, True) else 0


def _like_labels(values: Sequence[str]) -> bool:
    """Whether values could be labels: text, or few whole numbers without large gaps."""
    counts = Counter(values)
    if not any(map(_NUMBER.fullmatch, counts)):
        return True
    if len(counts) == 1 or not all(map(_WHOLE.fullmatch, counts)):
        return False
    span = max(map(float, counts)) - min(map(float, counts))
    few = 2 * len(counts) <= len(values) and span < max(10, 2 * len(counts))
    return few and max(counts.values()) <= _MOST * len(values)


def _read(path: Path, column: int) -> tuple[np.ndarray, np.ndarray]:
    rows, labels, width = [], [], 0
    with warnings.catch_warnings(action="error"):
        for number, cells in _lines(path):
            names = [cell.strip().lower() for cell in cells] if number == 1 else []
            if names and _is_header(names):
                column = next((names.index(one) for one in _LABELS if one in names), column)
                continue
            if len(cells) == 1:
                raise UserError(f"{path}: line {number} has no commas between its values")
            labels.append(cells.pop(column).strip())
            rows.append(_pixels(f"{path}: line {number}", cells))
            width = width or len(cells)
            if len(cells) != width:
                problem = f"has {len(cells):,} pixels, the first {width:,}"
                raise UserError(f"{path}: line {number} {problem}")
    if not rows:
        raise UserError(f"{path}: holds no images")
    if all(map(_WHOLE.fullmatch, labels)):  # as integers, also where pandas made them floats
        labels = [label.partition(".")[0] for label in labels]
    shape = square_shape(str(path), width)
    return np.stack(rows).reshape(-1, *shape), np.array(labels)


def _is_header(names: list[str]) -> bool:
    """Whether the first line names its columns: the label's, none by a number, or all by theirs."""
    numbers = (name.replace(".", "", 1).isdecimal() for name in names)
    counted = any(names == [str(first + n) for n in range(len(names))] for first in (0, 1))
    return not set(_LABELS).isdisjoint(names) or not any(numbers) or counted


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
