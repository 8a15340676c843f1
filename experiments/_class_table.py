"""Per-class values of the report beside ours, as a table in Markdown."""

from collections import Counter
from collections.abc import Sequence

from experiments._classes import Confusions, best_and_worst, spreads_of_classes
from experiments._report import ReportedRun
from experiments._statistics import Spread


def class_table(confusions: Confusions, names: Sequence[str], report: ReportedRun) -> str:
    """The report's precision and recall (and the F1 that follows) beside ours, class by class.

    Args:
        confusions: one a seed.
        names: of the classes.
        report: its run.
    """
    theirs = {"Precision": report.precision, "Recall": report.recall, "F1": report.f1}
    lines = [["", *names], ["---", *["---:"] * len(names)]]
    for metric, spreads in spreads_of_classes(confusions).items():
        lines.append([f"{metric}, report", *(f"{value:.3f}" for value in theirs[metric])])
        lines.append([f"{metric}, ours", *map(_cell, spreads)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def extremes(confusions: Confusions, names: Sequence[str], report: ReportedRun) -> str:
    """The best and the worst classes by F1, the report's and ours, in a sentence."""
    f1 = report.f1
    theirs = names[f1.index(max(f1))], names[f1.index(min(f1))]
    best, worst = best_and_worst(confusions)
    return (
        f"By F1 the report's best class is {theirs[0]} and its worst {theirs[1]}. "
        f"Ours, of {len(confusions)} seeds: the best is {_ranked(best, names)}; "
        f"the worst {_ranked(worst, names)}."
    )


def _cell(found: Spread) -> str:
    if found.n == 0:
        return "–"
    return f"{found.mean:.3f} ± {found.sd:.3f}" if found.n > 1 else f"{found.mean:.3f}"


def _ranked(counts: Counter[int], names: Sequence[str]) -> str:
    return ", ".join(f"{names[k]} in {count}" for k, count in counts.most_common())
