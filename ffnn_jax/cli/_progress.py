"""Progress bars: a live line on a terminal, and plain lines elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from ffnn_jax.cli._results import plain_console


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
