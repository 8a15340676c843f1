"""The report side by side with what was found: experiments/README.md, from the stored results."""

from typing import Any

from experiments import _table_3_section, budget, final, mnist, prose, table_3, wishes
from experiments._quote import WHOLE_PERCENTS, percent, standing, time_of_row
from experiments._report import CIFAR10_TEST_ACCURACY, MNIST_TEST_ACCURACY
from experiments._results import RESULTS, read_result


def results() -> dict[str, dict[str, Any]]:
    """Every stored result that the page is made of."""
    names = ("mnist", "table_3", "final", "wishes", "budget", "prose")
    return {name: read_result(RESULTS / f"{name}.json") for name in names}


def page(found: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    return f"""# The report, side by side

The measured numbers on this page are written by `python -m experiments.readme` from the files in \
`results/`, which the experiments wrote. Accuracies are of the test images, mean ± standard \
deviation over n seeds; a seed decides the split, the initialisation and the batches. "Inside" \
means inside the range of a single run of ours, at 95 %.

An experiment's command runs what is not stored yet, and draws anew. `table_3`, `wishes` and \
`budget` can be stopped at any time and go on where they were; `python -m experiments.table_3 \
--model 3 --seed 7` repeats one run and compares it with what is stored, bit for bit on the same \
processor and versions.

| item | report, % | ours, % | n | verdict | command | time a seed |
| --- | ---: | --- | ---: | --- | --- | --- |
{_items(found)}
## Figures 1-3, Tables 1 and 2: MNIST

{mnist.section(found["mnist"])}
## Table 3: nine models on CIFAR-10

{_table_3_section.section(found["table_3"])}
## Figures 4-6, Tables 4 and 5: the final network

{final.section(found["final"])}
## What the report wished for

{wishes.section(found["wishes"])}
## The best within the report's own budget

{budget.section(found["budget"])}
## The report's prose

{prose.section(found["prose"])}"""


def _items(found: dict[str, dict[str, Any]]) -> str:
    rows, digits, last = found["table_3"]["rows"], found["mnist"], found["final"]
    ours, exact = last["test_accuracy"], (MNIST_TEST_ACCURACY, CIFAR10_TEST_ACCURACY)
    first = digits["test_accuracy"]
    lines = [
        _item("Figures 1-3, Tables 1-2", exact[0], first, standing(first, exact[0]), "mnist",
              mnist.time_of(digits)),
        *(_table_3_item(row, rows[row]) for row in table_3.ROWS),
        _item("Figures 4-6, Tables 4-5", exact[1], ours, standing(ours, exact[1]), "final",
              time_of_row(rows[table_3.FINAL])),
        *(_wish(found["wishes"]["rows"][claim["first"]], claim)
          for claim in found["wishes"]["claims"]),
        *(_item(f"Within the budget, {row}", None, one["test_accuracy"],
                budget.verdict(row, one["test_accuracy"]), "budget", time_of_row(one))
          for row, one in found["budget"]["rows"].items()),
    ]  # fmt: skip
    return "".join(lines)


def _table_3_item(row: str, one: dict[str, Any]) -> str:
    ours, report = one["test_accuracy"], table_3.REPORT[row]
    place = standing(ours, report, WHOLE_PERCENTS)
    return _item(f"Table 3, model {row}", report, ours, place, "table_3", time_of_row(one))


def _wish(row: dict[str, Any], claim: dict[str, Any]) -> str:
    name = f"Wished for, {claim['first']}"
    verdict = f"{claim['text']}: {claim['verdict']}"
    return _item(name, None, row["test_accuracy"], verdict, "wishes", time_of_row(row))


def _item(
    item: str, report: float | None, ours: list[float], verdict: str, name: str, time: str
) -> str:
    cells = (
        item,
        "" if report is None else f"{100 * report:.1f}".removesuffix(".0"),
        percent(ours),
        len(ours),
        verdict,
        f"[`python -m experiments.{name}`]({name}.py)",
        time,
    )
    return f"| {' | '.join(map(str, cells))} |\n"
