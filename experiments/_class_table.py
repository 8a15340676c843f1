"""The report's per-class values beside ours, as a Markdown table."""

from collections import Counter
from collections.abc import Sequence

from experiments._classes import Confusions, best_and_worst, spreads_of_classes
from experiments._report import ReportedRun
from ffnn_jax.runs import Spread


def class_table(confusions: Confusions, names: Sequence[str], report: ReportedRun) -> str:
    """The report's precision and recall (and the F1 score they imply) beside ours, by class.

    Args:
        confusions: one confusion matrix per seed.
        names: the class names.
        report: the report's run.
    """
    reported = {"Precision": report.precision, "Recall": report.recall, "F1": report.f1}
    lines = [["", *names], ["---", *["---:"] * len(names)]]
    for metric, spreads in spreads_of_classes(confusions).items():
        lines.append([f"{metric}, report", *(f"{value:.3f}" for value in reported[metric])])
        lines.append([f"{metric}, ours", *map(_cell, spreads)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def extremes(confusions: Confusions, names: Sequence[str], report: ReportedRun) -> str:
    """A sentence on the best and worst classes by F1, the report's and ours."""
    f1 = report.f1
    reported = names[f1.index(max(f1))], names[f1.index(min(f1))]
    best, worst = best_and_worst(confusions)
    return (
        f"By F1 the report's best class is {reported[0]} and its worst {reported[1]}. "
        f"Ours, of {len(confusions)} seeds: the best is {_ranked(best, names)}; "
        f"the worst {_ranked(worst, names)}."
    )


def _cell(values: Spread) -> str:
    if values.n == 0:
        return "–"
    return f"{values.mean:.3f} ± {values.sd:.3f}" if values.n > 1 else f"{values.mean:.3f}"


def _ranked(counts: Counter[int], names: Sequence[str]) -> str:
    return ", ".join(f"{names[k]} in {count}" for k, count in counts.most_common())
