"""Table 3, its claims and its alternative readings in Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments._before_after import before_after_section
from experiments._claims import Claim, answers, cells, dominating, other_reading, points
from experiments._formatting import WHOLE_PERCENTS, percent, report_position
from experiments._results import RESULTS, read_result
from experiments.table_3 import FINAL, REPORT, ROWS
from ffnn_jax.config import Settings
from ffnn_jax.runs import spread

Row = Mapping[str, Any]
READINGS = {
    "hidden width 16 in 4 and 5": {"4": "4-width-16", "5": "5-width-16"},
    "hidden width 256 in 4 and 5": {"4": "4-width-256", "5": "5-width-256"},
    "7 as 10,000 steps of 16": {"7": "7-steps"},
}
_COSTS = {"training_flops": "operations", "parameters": "parameters"}


def section(result: dict[str, Any]) -> str:
    """The table, the forest plot, the claims with their answers, the cost, other readings."""
    rows = result["rows"]
    before = read_result(RESULTS / "table_3_im2col.json")["rows"]
    parts = [
        _table(rows),
        _answers(result),
        _cost(rows),
        _readings(rows),
        before_after_section(rows, before),
    ]
    return "\n".join(parts)


def compromise(rows: Mapping[str, Row]) -> str:
    """Sentences for and against the final model."""
    models = {row: rows[row] for row in ROWS}
    sentences = []
    for cost, label in _COSTS.items():
        better = dominating(models, FINAL, cost)
        names = f"model {', '.join(better)}" if better else "no model"
        sentences.append(f"with no more {label}, {names} is more accurate on average")
    best = max(models, key=lambda row: float(np.mean(rows[row]["test_accuracy"])))
    if best == FINAL:
        return f"{'; '.join(sentences).capitalize()}. No model is more accurate at any cost."
    (answer,) = answers(models, (Claim("h", "it is better", best, FINAL, 1),))
    times = [
        f"{rows[best][cost] / rows[FINAL][cost]:.1f} times the {_COSTS[cost]}" for cost in _COSTS
    ]
    return (
        f"{'; '.join(sentences).capitalize()}. The most accurate model, {best}, takes "
        f"{' and '.join(times)} for {points(answer, ' points')}."
    )


def _table(rows: Mapping[str, Row]) -> str:
    accuracy = "".join(_accuracy_line(row, rows[row]) for row in ROWS)
    costs = "".join(_cost_line(row, rows[row]) for row in ROWS)
    return f"""A seed has the same split in every row, and the same batches where batch sizes are \
equal, so rows are compared in pairs. Intervals are over seeds only: the 10,000 test images are \
the same for all, so the intervals estimate where the mean of many more seeds would lie on these \
images. The range of a single run holds one more seed's accuracy with probability 0.95; the table \
states whether the report's run, rounded to whole percents, lies in it.

| model | report, % | ours, % | mean, 95 % interval | report against the range of a single run | n |
| --- | ---: | --- | --- | --- | ---: |
{accuracy}
![forest plot of Table 3](results/table_3_forest.png)

Accuracies after training, on all 17,999 training and 2,001 validation images, and the cost of a \
run. Seconds are the fastest seed's, on a machine that did other work too.

| model | layers | parameters | training, 10^12 operations | training, % | validation, % \
| gap, points | s per seed |
| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |
{costs}"""


def _accuracy_line(row: str, one: Row) -> str:
    values = one["test_accuracy"]
    summary = spread(values)
    interval = f"{100 * summary.low:.1f} to {100 * summary.high:.1f}"
    place = report_position(values, REPORT[row], WHOLE_PERCENTS)
    report, ours = f"{100 * REPORT[row]:.0f}", percent(values)
    return f"| {row} | {report} | {ours} | {interval} | {place} | {summary.n} |\n"


def _cost_line(row: str, one: Row) -> str:
    layers = len(Settings.from_json(one["settings"]).layers) + 2  # the report counts input and loss
    gap = 100 * np.mean(np.subtract(one["train_accuracy"], one["validation_accuracy"]))
    return (
        f"| {row} | {layers} | {one['parameters']:,} | {one['training_flops'] / 1e12:.2f} "
        f"| {percent(one['train_accuracy'])} | {percent(one['validation_accuracy'])} "
        f"| {gap:.1f} | {one['train_seconds']:.0f} |\n"
    )


def _answers(result: dict[str, Any]) -> str:
    rows = result["rows"]
    lines = "".join(
        f"| ({one['label']}) {one['text']} | {one['compared']} {cells(one)}\n"
        for one in result["claims"]
    )
    return f"""### The report's claims

Student's paired t-tests, Holm-corrected together at 5 %; in points of test accuracy, and for (g) \
of the gap between training and validation accuracy. Where a claim is not decided, the table names \
the difference that these seeds would have detected with probability 0.8, even at the strictest \
step of the correction.

| claim | compared | points [95 %, uncorrected] | n | p, corrected | answer |
| --- | --- | --- | ---: | ---: | --- |
{lines}
(d) Is 54 against 53 a coincidence? Of all pairs of one run of model 3 and one of model 4, \
{_share_apart(rows["3"], rows["4"]):.0%} differ by a point or more once both are rounded to whole \
percents; of all pairs of runs of model 3, {_share_apart(rows["3"], rows["3"]):.0%} do.

(f) 6b and 7 take {_times(rows, "6b", "training_flops")} and {_times(rows, "7", "training_flops")} \
times the operations of model 0, and {_times(rows, "6b", "train_seconds")} and \
{_times(rows, "7", "train_seconds")} times its time.
"""


def _cost(rows: Mapping[str, Row]) -> str:
    return f"""(h) Is the final model, 3, a good compromise between accuracy and cost? \
{compromise(rows)}

![accuracy against cost](results/table_3_cost.png)
"""


def _readings(rows: Mapping[str, Row]) -> str:
    if set(rows) <= set(ROWS):
        return ""
    others = "".join(
        f"| {name} | {row['parameters']:,} | {percent(row['test_accuracy'])} "
        f"| {len(row['seeds'])} |\n"
        for name, row in rows.items()
        if name not in ROWS
    )
    lines = "".join(_reading(rows, name, instead) for name, instead in READINGS.items())
    return f"""### Alternative readings

The report does not state the hidden width of 4 and 5, or what doubling the number of batches \
means in 7. Above, the width is 64 and the batch size 32. Here both readings are tested on the \
same seeds, each group corrected separately.

| row | parameters | test accuracy, % | n |
| --- | ---: | --- | ---: |
{others}
| reading | claim | n | as above, points | answer | this reading, points | answer | changed |
| --- | --- | ---: | --- | --- | --- | --- | --- |
{lines}"""


def _reading(rows: Mapping[str, Row], name: str, instead: Mapping[str, str]) -> str:
    if any(other not in rows for other in instead.values()):
        return ""
    return "".join(
        f"| {name} | ({before['label']}) {before['compared']} | {before['n']} | {points(before)} "
        f"| {before['verdict']} | {points(after)} | {after['verdict']} "
        f"| {'no' if before['verdict'] == after['verdict'] else 'yes'} |\n"
        for before, after in other_reading(rows, instead)
    )


def _share_apart(first: Row, second: Row) -> float:
    """The share of pairs, one run of each row, that differ by a point or more in whole percents."""
    first_percents, second_percents = (
        np.round(100 * np.array(row["test_accuracy"])) for row in (first, second)
    )
    apart = np.abs(first_percents[:, None] - second_percents[None, :]) >= 1
    if first is second:
        apart = apart[~np.eye(len(first_percents), dtype=bool)]
    return float(apart.mean())


def _times(rows: Mapping[str, Row], row: str, cost: str) -> str:
    return f"{rows[row][cost] / rows['0'][cost]:.1f}"
