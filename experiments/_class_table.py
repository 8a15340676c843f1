"""Per-class values of the report beside ours, as a table in Markdown."""

from collections import Counter
from collections.abc import Sequence

from experiments._classes import Confusions, best_and_worst, spreads_of_classes
from experiments._statistics import Spread


def class_table(
    confusions: Confusions,
    names: Sequence[str],
    precision: Sequence[float],
    recall: Sequence[float],
) -> str:
    """The report's precision and recall (and the F1 that follows) beside ours, class by class.

    Args:
        confusions: one a seed.
        names: of the classes.
        precision: the report's.
        recall: the report's.
    """
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    report = {"Precision": precision, "Recall": recall, "F1": f1}
    lines = [["", *names], ["---", *["---:"] * len(names)]]
    for metric, spreads in spreads_of_classes(confusions).items():
        lines.append([f"{metric}, report", *(f"{value:.3f}" for value in report[metric])])
        lines.append([f"{metric}, ours", *map(_cell, spreads)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def extremes(confusions: Confusions, names: Sequence[str]) -> str:
    """The best and the worst classes by F1, in a sentence."""
    best, worst = best_and_worst(confusions)
    return (
        f"Best class by F1: {_ranked(best, names)}; worst: {_ranked(worst, names)}; "
        f"of {len(confusions)} seeds."
    )


def _cell(found: Spread) -> str:
    return f"{found.mean:.3f} ± {found.sd:.3f}" if found.n > 1 else f"{found.mean:.3f}"


def _ranked(counts: Counter[int], names: Sequence[str]) -> str:
    return ", ".join(f"{names[k]} ({count})" for k, count in counts.most_common())
