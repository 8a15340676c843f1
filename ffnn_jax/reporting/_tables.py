"""Tables in Markdown."""

import re
from collections.abc import Sequence

from ffnn_jax.reporting._metrics import MOST_SHOWN, Confusion, f1, precision, recall


def precision_recall_table(confusion: Confusion, class_names: Sequence[str]) -> str:
    """The report's Table 1, with F1 added; a dash is an undefined value.

    One column per class, as in the report; one row per class if there are more than 25.
    """
    metrics = {"Precision": precision(confusion), "Recall": recall(confusion), "F1": f1(confusion)}
    rows = [["", *map(_escape, class_names)]]
    rows += [[name, *map(_four_digits, values)] for name, values in metrics.items()]
    if len(class_names) > MOST_SHOWN:
        rows = [list(column) for column in zip(*rows, strict=True)]
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _escape(name: str) -> str:
    """A name on one line, without what Markdown would read as its own."""
    return re.sub(r"([\\|<$`*])", r"\\\1", " ".join(name.split()))


def _four_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
