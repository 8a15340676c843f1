"""Consoles that print text as it is, and progress bars."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def _raise_again() -> None:
    raise  # the BrokenPipeError that rich handles when it calls this


def plain_console(stderr: bool = False, reader_left: Callable[[], None] = _raise_again) -> Console:
    """A console that prints text as is: unwrapped, without markup or highlighting.

    When nobody reads on, as after "| head", ``reader_left`` is called; rich itself would exit.
    """
    console = Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.on_broken_pipe = reader_left
    return console


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
