"""Progress bars: a live line on a terminal, and plain lines elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from ffnn_jax.cli._results import plain_console


def progress_bar(console: Console, *columns: ProgressColumn) -> Progress:
    """A description, a bar and further columns; shows nothing where the console is no terminal."""
    shown = TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), *columns
    return Progress(*shown, console=console, transient=True, disable=not console.is_terminal)


@contextlib.contextmanager
def show_progress(lines: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """Shows on standard error what is being done, as the function that it gives is told.

    On a terminal that is a bar, elsewhere a line for each new thing, if lines are wanted. The
    function takes words, how much is done, and how much there is to do (0 if that is not known).
    """
    console = plain_console(stderr=True)
    bar = progress_bar(console, TimeRemainingColumn())
    task, said = bar.add_task("", total=None), ""

    def tell(words: str, done: int, total: int) -> None:
        nonlocal said
        bar.update(task, description=words, completed=done, total=total or None)
        if words != said and lines and not console.is_terminal:
            console.print(f"{words} ...")
        said = words

    with bar:
        yield tell
