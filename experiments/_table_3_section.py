"""Table 3, its claims and its other readings in Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments._claims import CLAIMS, Claim, answer, comparisons, dominating, other_reading
from experiments._quote import percent, standing
from experiments._statistics import spread
from experiments.table_3 import FINAL, REPORT, ROWS
from ffnn_jax.config import Settings

Row = Mapping[str, Any]
READINGS = {
    "hidden width 16 in 4 and 5": {"4": "4-width-16", "5": "5-width-16"},
    "hidden width 256 in 4 and 5": {"4": "4-width-256", "5": "5-width-256"},
    "7 as 10,000 steps of 16": {"7": "7-steps"},
}


def section(result: dict[str, Any]) -> str:
    """The table, the forest plot, the claims with their answers, the cost, the other readings."""
    rows = result["rows"]
    table = "".join(_line(row, rows[row]) for row in ROWS)
    return f"""Intervals are over seeds alone: the 10,000 test images are the same for all, so \
they say where the mean of many more seeds would lie on these images. Models are compared in \
pairs: seed k has the same split and batches in every row.

| model | layers | parameters | GFLOPs of training | report, % | ours, % | mean's 95 % interval \
| the report among single runs (95 %) | training, % | validation, % | gap | n | s a seed |
| --- | ---: | ---: | ---: | ---: | --- | --- | --- | --- | --- | ---: | ---: | ---: |
{table}
![forest plot of Table 3](results/table_3_forest.png)

### The report's claims

Student's paired tests, corrected together by Holm at 5 %; differences in points of test accuracy, \
for (g) of the gap between training and validation accuracy. Where nothing is decided, the last \
number is the smallest difference that these seeds would have seen with probability 0.8.

| claim | difference | answer |
| --- | --- | --- |
{_claims(result["claims"])}
(d) Two seeds of model {FINAL} differ by {_apart(rows[FINAL]):.1f} points on average; the \
report's single runs of 3, 4 and 5 differ by 1.

(f) costs: 6b and 7 take {_times(rows, "6b", "training_flops")} and \
{_times(rows, "7", "training_flops")} times the operations of model 0; \
the medians of their times are {_times(rows, "6b", "train_seconds")} and \
{_times(rows, "7", "train_seconds")} times its own.

(h) "Final is the best compromise." {compromise(rows)}

![accuracy against cost](results/table_3_cost.png)

### Other readings

What the report leaves open was read in one way above. With the other ways, {_other_n(rows)} \
seeds each, compared with the same seeds of the other models:

| row | parameters | test accuracy, % | n |
| --- | ---: | --- | ---: |
{"".join(_short(name, rows[name]) for name in rows if name not in ROWS)}
| reading | claim | as read above | as read here | changed |
| --- | --- | --- | --- | --- |
{"".join(_reading(rows, name, instead) for name, instead in READINGS.items())}"""


def compromise(rows: Mapping[str, Row]) -> str:
    """Whether a model beats the final one at no more cost, in a sentence."""
    by_cost = {
        cost: dominating({row: rows[row] for row in ROWS}, FINAL, cost)
        for cost in ("training_flops", "parameters")
    }
    words = {"training_flops": "operations", "parameters": "parameters"}
    better = [
        f"with no more {words[cost]} {', '.join(found)} {'is' if len(found) == 1 else 'are'} "
        "more accurate on average"
        for cost, found in by_cost.items()
        if found
    ]
    if better:
        return f"Not by these means: {'; '.join(better)}."
    return "Holds: no model is more accurate on average with no more operations or parameters."


def _line(row: str, one: Row) -> str:
    found = spread(one["test_accuracy"])
    layers = len(Settings.from_json(one["settings"]).layers) + 2
    gap = np.subtract(one["train_accuracy"], one["validation_accuracy"])
    cells = (
        row, layers, f"{one['parameters']:,}", f"{one['training_flops'] / 1e9:,.0f}",
        f"{100 * REPORT[row]:.0f}", percent(one["test_accuracy"]),
        f"{100 * found.low:.1f} to {100 * found.high:.1f}",
        standing(one["test_accuracy"], REPORT[row]), percent(one["train_accuracy"]),
        percent(one["validation_accuracy"]), f"{100 * gap.mean():.1f}", found.n,
        f"{one['train_seconds']:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


def _claims(claims: list[dict[str, Any]]) -> str:
    return "".join(
        f"| ({one['letter']}) {one['text']} | {one['first']} - {one['second']}"
        f"{', gap' if one['gap'] else ''} | {one['answer']} |\n"
        for one in claims
    )


def _apart(row: Row) -> float:
    """The mean distance of two seeds, in points."""
    values = np.array(row["test_accuracy"])
    distances = np.abs(values[:, None] - values[None, :])
    return float(100 * distances[np.triu_indices(len(values), 1)].mean())


def _times(rows: Mapping[str, Row], row: str, cost: str) -> str:
    return f"{rows[row][cost] / rows['0'][cost]:.1f}"


def _other_n(rows: Mapping[str, Row]) -> int:
    return min(len(row["seeds"]) for name, row in rows.items() if name not in ROWS)


def _short(name: str, row: Row) -> str:
    accuracy = percent(row["test_accuracy"])
    return f"| {name} | {row['parameters']:,} | {accuracy} | {len(row['seeds'])} |\n"


def _reading(rows: Mapping[str, Row], name: str, instead: Mapping[str, str]) -> str:
    if any(other not in rows for other in instead.values()):
        return ""
    above = comparisons(rows, CLAIMS)
    lines = []
    for claim, found in other_reading(rows, instead):
        before, here = answer(claim, above[claim]), answer(claim, found)
        changed = "yes" if _verdict(before) != _verdict(here) else "no"
        lines.append(f"| {name} | {_named(claim)} | {before} | {here} | {changed} |\n")
    return "".join(lines)


def _named(claim: Claim) -> str:
    return f"({claim.letter}) {claim.name}"


def _verdict(sentence: str) -> str:
    return sentence.partition(":")[0]
