"""Tables in Markdown."""

import re
from collections.abc import Sequence

from ffnn_jax.reporting._metrics import MOST_SHOWN, Confusion, f1, precision, recall


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
