"""Tables in Markdown."""

from collections.abc import Sequence

from ffnn_jax.reporting._metrics import Confusion, f1, precision, recall


def precision_recall_table(confusion: Confusion, class_names: Sequence[str]) -> str:
    """The report's Table 1, with F1 added: one column per class, a dash for an undefined value."""
    rows = {"Precision": precision(confusion), "Recall": recall(confusion), "F1": f1(confusion)}
    lines = [
        _line("", class_names),
        _line("---", ["---:"] * len(class_names)),
        *(_line(name, map(_four_digits, values)) for name, values in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(head: str, cells: Sequence[str] | map) -> str:
    return f"| {' | '.join([head, *cells])} |"


def _four_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
