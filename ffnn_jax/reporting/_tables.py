"""Tables in Markdown, and in a terminal."""

import re
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from ffnn_jax.reporting._metrics import MOST_SHOWN, Confusion, f1, precision, recall

_WIDTH = 300  # in characters, where the output is not a terminal


def precision_recall_table(confusion: Confusion, class_names: Sequence[str]) -> str:
    """The report's Table 1, with F1 added; a dash is an undefined value.

    One column per class, as in the report; one row per class if there are more than 25.
    """
    metrics = {"Precision": precision(confusion), "Recall": recall(confusion), "F1": f1(confusion)}
    names = (" ".join(name.split()) for name in class_names)  # on one line, each without Markdown
    rows = [["", *(re.sub(r"([\\|<$`*])", r"\\\1", name) for name in names)]]
    for name, values in metrics.items():
        rows.append([name, *("–" if value is None else f"{value:.4f}" for value in values)])
    if len(class_names) > MOST_SHOWN:
        rows = [list(column) for column in zip(*rows, strict=True)]
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def print_table(console: Console, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table as wide as the terminal; only the first column is never folded."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == headings[0])
    for row in rows:
        table.add_row(*row)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(table, soft_wrap=False)
