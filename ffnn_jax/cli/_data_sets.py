"""What ``ffnn-jax data`` does: sets prepared, listed and drawn, as a person watches it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ffnn_jax.config import Refusal
from ffnn_jax.data import (
    PreparedSet,
    data_dir,
    find_prepared,
    is_kept,
    load,
    local_folder,
    prepared_names,
)
from ffnn_jax.data.preparation import Report, Source, prepare, verify_prepared

_WIDE = 300


def prepare_sets(names: tuple[str, ...], source: Source, folder: Path | None) -> int:
    """Prepares the sets in order, and says where each is."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for name in names:
        prepared = prepare_and_watch(name, source, folder)
        console.print(f"{name}: {_verdict(prepared)}, {_size(prepared)} in {prepared.folder}")
    return 0


def prepare_and_watch(name: str, source: Source, folder: Path | None) -> PreparedSet:
    """Prepares a set, and says how far it is."""
    with watch() as report:
        return prepare(name, source, folder, report)


@contextlib.contextmanager
def watch(lines: bool = True) -> Iterator[Report]:
    """A live line on a terminal; elsewhere a line for each new thing, if lines are wanted.

    All of it goes to standard error.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task: TaskID = bar.add_task("", total=None)
    said = ""

    def report(words: str, done: int, total: int) -> None:
        nonlocal said
        bar.update(task, description=words, completed=done, total=total or None)
        if words != said and lines and not console.is_terminal:
            console.print(f"{words} ...")
        said = words

    with bar:
        yield report


def list_sets(folder: Path | None, verify: bool = False) -> int:
    """Prints a row for each prepared set; returns 1 if one of them is damaged."""
    folder = local_folder(folder) if folder else data_dir()
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE  # nothing is cut off where nobody looks
    names = prepared_names(folder)
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, title=Text(str(folder)), title_justify="left"
    )
    for column in ("name", "version", "examples", "size", "contents"):
        table.add_column(column, justify="right" if column == "size" else "left")
    damaged = 0
    for name in names:
        try:
            table.add_row(*_row(name, folder, verify))
        except Refusal as refusal:
            damaged += 1
            table.add_row(name, "", "", "", Text(str(refusal), "red"))
    console.print(table if names else f"no data set is prepared in {folder}", soft_wrap=not names)
    return int(damaged > 0)


def _row(name: str, folder: Path, verify: bool) -> tuple[str, ...]:
    prepared = find_prepared(name, folder)
    if prepared is None:
        raise Refusal("is being moved away")
    counts = (f"{split} {sum(n):,}" for split, n in prepared.shard_lengths.items())
    return name, prepared.version, "\n".join(counts), _size(prepared), _state(prepared, verify)


def _state(prepared: PreparedSet, verify: bool) -> str:
    """What a set was found to be when it was read; to read it all now might take hours."""
    if verify or all(is_kept(prepared, split) for split in prepared.shard_lengths):
        return _verdict(prepared)
    return "not read yet"


def _verdict(prepared: PreparedSet) -> str:
    with watch(lines=False) as report:
        recorded = verify_prepared(prepared, report)
    return "verified" if recorded else "readable; no SHA-256 is recorded to compare with"


def _size(prepared: PreparedSet) -> str:
    return f"{prepared.size / 1e6:,.1f} MB"


def show_set(name: str, split: str, out: Path | None, folder: Path | None) -> int:
    """Writes a contact sheet of a split, and prints how many images each class has."""
    from ffnn_jax.reporting import draw_contact_sheet, save_figure

    out = out or Path(f"{name.replace('/', '-')}.png")
    if out.suffix != ".png":
        raise Refusal(f"out must end in .png, got {str(out)!r}")
    dataset = load(name, split, folder=folder)
    height, width, channels = dataset.image_shape
    title = f"{dataset.name}: {len(dataset):,} images of {height} x {width} x {channels}"
    figure = draw_contact_sheet(dataset.images, dataset.labels, dataset.class_names, title)
    try:
        save_figure(figure, out)
    except (OSError, ValueError) as error:
        raise Refusal(f"out cannot be written: {error}") from None
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{title}, from {dataset.source}, sha256 {dataset.sha256}", markup=False)
    means = dataset.images.mean(axis=(0, 1, 2)) / 255
    console.print(f"mean of each channel, of 1: {' '.join(f'{mean:.4f}' for mean in means)}")
    counts = np.bincount(dataset.labels, minlength=len(dataset.class_names))
    for class_name, count in zip(dataset.class_names, counts, strict=True):
        console.print(f"{class_name:<12} {count:>8,}", markup=False)
    console.print(f"picture in {out}", markup=False)
    return 0
