"""Prepares, lists and draws data sets."""

from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax import data
from ffnn_jax._console import plain_console, show_progress
from ffnn_jax.cli._files import writing
from ffnn_jax.config import UserError
from ffnn_jax.data.preparation import Source, prepare, verify_prepared

_LISTED = ("name", "version", "examples", "size", "contents")


def prepare_sets(names: tuple[str, ...], source: Source, folder: Path | None) -> int:
    """Prepares the sets in order, and prints where each is."""
    console, unread = plain_console(), "" if source == "official" else f" ({source} was not read)"
    for name in names:
        before = data.find_prepared(name, data.data_dir(folder))
        with show_progress() as on_progress:
            prepared = prepare(name, source, folder, on_progress)
        state = f"{f'already prepared{unread}, ' if before else ''}{_verdict(prepared)}"
        console.print(f"{name}: {state}, {_size(prepared)} in {prepared.folder}")
    return 0


def list_sets(folder: Path | None, verify: bool) -> int:
    """Prints one row per prepared set; returns 1 if a set is damaged."""
    from ffnn_jax.reporting import print_table

    folder, rows, damaged = data.data_dir(folder), [], 0
    for name in data.prepared_names(folder):
        try:
            prepared = data.find_prepared(name, folder)
            if prepared is None:
                raise UserError("is being moved away")
            splits = prepared.shard_lengths
            # One not yet cached is only read if asked, as that might take hours.
            known = verify or all(data.is_cached(prepared, split) for split in splits)
            state = _verdict(prepared) if known else "not read yet"
            counts = "\n".join(f"{split} {sum(n):,}" for split, n in splits.items())
            rows.append((name, prepared.version, counts, _size(prepared), state))
        except UserError as error:
            damaged += 1
            rows.append((name, "", "", "", str(error)))
    print(folder if rows else f"no prepared data sets in {folder}")
    if rows:
        print_table(plain_console(), _LISTED, rows)
    return int(damaged > 0)


def _verdict(prepared: data.PreparedSet) -> str:
    with show_progress(lines=False) as on_progress:
        recorded = verify_prepared(prepared, on_progress)
    return "verified" if recorded else "readable; no SHA-256 recorded for comparison"


def _size(prepared: data.PreparedSet) -> str:
    return f"{prepared.size / 1e6:,.1f} MB"


def show_set(
    name: str, split: str, out: Path, folder: Path | None, own_pictures: dict[str, Any]
) -> int:
    """Writes a contact sheet of a split, and prints the number of images per class."""
    from ffnn_jax.reporting import draw_contact_sheet, save_figure

    try:
        with show_progress() as tell:
            dataset = data.load(name, split, folder=folder, on_progress=tell, **own_pictures)
    except data.SizesDifferError:
        print(*data.survey(name), sep="\n", flush=True)
        raise
    height, width, channels = dataset.image_shape
    title = f"{dataset.name}: {len(dataset):,} images of {height} x {width} x {channels}"
    figure = draw_contact_sheet(dataset.images, dataset.labels, dataset.class_names, title)
    with writing(f"out {out}", ValueError):
        save_figure(figure, out)
    console = plain_console()
    console.print(f"{title}, from {dataset.source}, sha256 {dataset.sha256}")
    means = dataset.images.mean(axis=(0, 1, 2)) / 255
    console.print(f"mean of each channel (0 to 1): {' '.join(f'{mean:.4f}' for mean in means)}")
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    for class_name, count in zip(dataset.class_names, counts, strict=True):
        console.print(f"{class_name:<12} {count:>8,}")
    for remark in dataset.remarks:
        console.print(f"remark: {remark}")
    print(f"picture written to {out}")
    return 0
