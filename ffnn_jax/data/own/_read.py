"""A data set of one's own files: decoded once into the cache, and read from there."""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from platformdirs import user_cache_path

from ffnn_jax._picture_files import files_below, is_picture
from ffnn_jax.config import UserError
from ffnn_jax.data._dataset import OnProgress
from ffnn_jax.data._entries import Decoded, cached_entry, write_about
from ffnn_jax.data._folders import temporary_folder
from ffnn_jax.data._slices import Slice
from ffnn_jax.data.own._csv import csv_source
from ffnn_jax.data.own._draw import with_splits
from ffnn_jax.data.own._folder import folder_source, sub_folders
from ffnn_jax.data.own._idx import idx_source, is_idx
from ffnn_jax.data.own._npz import npz_source
from ffnn_jax.data.own._paths import stat_of
from ffnn_jax.data.own._remarks import remarks
from ffnn_jax.data.own._source import Source
from ffnn_jax.data.own._write import Written, write_images

_FORMAT, _SHOWN = 3, 20
_ORDER = ("train", "validation", "test")
_MAX_SIZE = 4096
_PASSING = "decoded images are kept for this process alone"
_KINDS = (
    "a folder with a sub-folder of pictures for each class, a folder of CSV or IDX files, an .npz, "
    "or a .csv"
)


class OwnSet(NamedTuple):
    """A decoded set: train, validation, if there is one, and test, one after another."""

    path: Path
    decoded: Decoded

    @property
    def shard_lengths(self) -> dict[str, tuple[int, ...]]:
        """The number of images of each split."""
        return {split: (count,) for split, count in self.decoded.facts["splits"].items()}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was drawn, converted, left out, and what may mislead."""
        return tuple(self.decoded.facts["remarks"])

    def rows(self, part: Slice) -> slice:
        """Where a part of a split is among all images."""
        before = itertools.takewhile(lambda item: item[0] != part.split, self.shard_lengths.items())
        start = sum(count for _, (count,) in before)
        return slice(start + part.start, start + part.stop)


def read_own(
    path: Path, size: int | None = None, skip_damaged: bool = False,
    on_progress: OnProgress | None = None,
) -> OwnSet:  # fmt: skip
    """Reads files of one's own from the cache, or decodes them into it.

    Args:
        path: a folder with a sub-folder of pictures a class (in train, validation and test, or to
            be drawn), an .npz, a .csv, or a folder of CSV or IDX files.
        size: pictures are cropped to their middle square and scaled to size x size; needed where
            they differ.
        skip_damaged: leaves out pictures that cannot be read.
        on_progress: receives a message, the images decoded, and their number.

    Raises:
        UserError: the files are none of these, or damaged, or pictures differ in size.
    """
    if size is not None and not (type(size) is int and 1 <= size <= _MAX_SIZE):
        raise UserError(f"size must be from 1 to {_MAX_SIZE}, got {size!r}")

    def decode_into(folder: Path) -> None:
        _decode_into(folder, path, size, on_progress or (lambda *_: None))

    name, root = _entry_name(path, size), user_cache_path("ffnn_jax") / "own"
    decoded = cached_entry([root], name, decode_into)
    if decoded is None:
        decoded = cached_entry([temporary_folder(root, _PASSING)], name, decode_into)
    if decoded is None:
        raise UserError(f"{path}: there is no room for its decoded images; TMPDIR can name some")
    damaged = decoded.facts["damaged"]
    if damaged and not skip_damaged:
        count = f"{len(damaged):,} of {len(damaged) + len(decoded.labels):,} pictures"
        hint = "--skip-damaged (skip_damaged=True) leaves them out"
        more = [f"and {len(damaged) - _SHOWN:,} more"] * (len(damaged) > _SHOWN)
        lines = [f"{path}: {count} cannot be read; {hint}:", *damaged[:_SHOWN], *more]
        raise UserError("\n  ".join(lines))
    return OwnSet(path, decoded)


def _entry_name(path: Path, size: int | None) -> str:
    """Names an entry after the path, the size, and the names, sizes and times of the files."""
    files = files_below(path) if path.is_dir() else [str(path)]
    stats = [(file, (s := stat_of(file)).st_size, s.st_mtime_ns) for file in files]
    key = hashlib.sha256(json.dumps([_FORMAT, stats]).encode()).hexdigest()[:16]
    where = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{where}-{size or 'own'}-{key}"


def source_of(path: Path) -> Source:
    """What the files hold, of which pictures are not read yet; raises as ``read_own``."""
    if path.suffix.lower() == ".npz":
        return npz_source(path)
    if path.suffix.lower() == ".csv":
        return csv_source([path])
    if not path.is_dir():
        raise UserError(f"{path}: not a data set; your own can be {_KINDS}")
    if any(is_picture(file) for one in sub_folders(path) for file in files_below(one)):
        return folder_source(path)
    files = sorted(one for one in path.iterdir() if one.is_file() and one.name[0] != ".")
    tables = [one for one in files if one.suffix.lower() == ".csv"]
    pairs = [one for one in files if is_idx(one)]
    if not tables and not pairs and sub_folders(path):
        return folder_source(path)  # which says what it lacks
    if not tables and not pairs:
        flat = any(map(is_picture, files))
        problem = "its pictures must be in sub-folders, one for each class" if flat else None
        raise UserError(f"{path}: {problem or f'holds no data set; your own can be {_KINDS}'}")
    return csv_source(tables) if tables else idx_source(pairs)


def _decode_into(folder: Path, path: Path, size: int | None, on_progress: OnProgress) -> None:
    source = with_splits(source_of(path), str(path))
    names = [split for split in _ORDER if split in source.parts]
    items, labels = (
        np.concatenate([source.parts[split][field] for split in names]) for field in (0, 1)
    )
    written = write_images(
        folder, items, size, lambda n: on_progress(f"decoding {path.name}", n, len(items))
    )
    splits = _splits_left(path, source, names, written)
    labels = labels[written.kept]
    files = items[written.kept].tolist() if items.dtype == object else None
    written.digest.update(labels.data)
    said = [*source.remarks, *_on_sizes(written.sizes, size), *written.damaged]
    said += remarks(splits, labels, source.class_names, written.contents, files)
    facts = {
        "splits": {split: part.stop - part.start for split, part in splits.items()},
        "remarks": said, "damaged": written.damaged,
    }  # fmt: skip
    write_about(folder, labels, np.empty(0, np.int32), source.class_names, written.digest, facts)


def _splits_left(
    path: Path, source: Source, names: Sequence[str], written: Written
) -> dict[str, Slice]:
    """Where each split is among the images written, of which each must have some."""
    ends = np.cumsum([len(source.parts[split].labels) for split in names])
    stops = np.searchsorted(written.kept, ends).tolist()
    splits = {
        split: Slice(split, start, stop)
        for split, start, stop in zip(names, [0, *stops], stops, strict=False)
    }
    for split, part in list(splits.items()):
        if part.start == part.stop and split == "validation":
            del splits[split]  # training images are held out instead
        elif part.start == part.stop:
            why = f", of {len(written.damaged):,} files none can be read" * bool(written.damaged)
            raise UserError(f"{path}: {split} has no images{why}")
    return splits


def _on_sizes(sizes: Mapping[tuple[int, int], int], size: int | None) -> list[str]:
    """What was done to pictures that do not have the size wanted."""
    if size is None or set(sizes) <= {(size, size)}:
        return []
    count = sum(number for one, number in sizes.items() if one != (size, size))
    ends = dict.fromkeys(f"{width} x {height}" for width, height in (min(sizes), max(sizes)))
    done = f"cropped to the middle square, scaled to {size} x {size}"
    return [f"{count:,} picture{'s' * (count > 1)} of {' to '.join(ends)} {done}"]
