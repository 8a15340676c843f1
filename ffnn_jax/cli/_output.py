"""What commands print: consoles, a progress bar, and results to a file or standard output."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from ffnn_jax.cli._files import writing


def _raise_again() -> None:
    raise  # the BrokenPipeError that rich handles when it calls this


def plain_console(stderr: bool = False, reader_left: Callable[[], None] = _raise_again) -> Console:
    """A console that prints text as is: unwrapped, without markup or highlighting.

    When nobody reads on, as after "| head", ``reader_left`` is called; rich itself would exit.
    """
    console = Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.on_broken_pipe = reader_left
    return console


def console_beside(file: str | None) -> Console:
    """A console on standard output, or on standard error if JSON goes to standard output."""
    return plain_console(stderr=file == "-")


def progress_bar(console: Console, *columns: ProgressColumn) -> Progress:
    """A description, a bar and more columns; shows nothing if the console is not a terminal."""
    first = TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), *columns
    return Progress(*first, console=console, transient=True, disable=not console.is_terminal)


@contextlib.contextmanager
def show_progress(lines: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Shows progress on standard error; yields the callback that reports it.

    Shows a bar on a terminal, and elsewhere one line per new message, if lines are wanted. The
    callback takes a message, the amount done, and the total (0 if unknown).
    """
    console = plain_console(stderr=True)
    bar = progress_bar(console, TimeRemainingColumn())
    task, last = bar.add_task("", total=None), ""

    def on_progress(message: str, done: int, total: int) -> None:
        nonlocal last
        bar.update(task, description=message, completed=done, total=total or None)
        if message != last and lines and not console.is_terminal:
            console.print(f"{message} ...")
        last = message

    with bar:
        yield on_progress


def write_json(file: str | None, result: Any) -> None:
    """Writes a result to the file, to standard output for "-", or nowhere."""
    write_text("json", file, json.dumps(result, indent=2) + "\n")


def write_text(option: str, file: str | None, text: str) -> None:
    """Writes a text to the option's file, to standard output for "-", or nowhere."""
    if file == "-":
        print(text, end="")
    elif file is not None:
        with writing(option):
            Path(file).write_text(text, encoding="utf-8", newline="\n")
