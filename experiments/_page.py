"""The report beside our results: experiments/README.md, generated from the stored results."""

from collections.abc import Callable
from typing import Any

from experiments import (
    _accelerator_section,
    _table_3_section,
    ablations,
    budget,
    final,
    images_learned,
    ingredients,
    ladder,
    many_classes,
    mixed_precision,
    mnist,
    pictures,
    table_3,
    text_claims,
)
from experiments._formatting import WHOLE_PERCENTS, percent, report_position, time_of_row
from experiments._report import CIFAR10, MNIST
from experiments._results import RESULTS, read_result

Result = dict[str, Any]


def results() -> dict[str, dict[str, Any]]:
    """The stored results behind the page; experiments that were not run are absent.

    Those of accelerators, a list of one for each device, are there even if it is empty.
    """
    paths = {name: RESULTS / f"{name}.json" for name in _SECTIONS}
    found = {name: read_result(path) for name, path in paths.items() if path.exists()}
    return {**found, "accelerator": {"devices": accelerators()}}


def accelerators() -> list[Result]:
    """The stored results of each accelerator."""
    return [read_result(path) for path in sorted(RESULTS.glob("accelerator-*.json"))]


def page(stored: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    items = "".join(
        line for name, (_, _, lines) in _SECTIONS.items() if name in stored
        for line in lines(stored[name])
    )  # fmt: skip
    sections = "\n".join(
        f"## {title}\n\n{section(stored[name])}"
        for name, (title, section, _) in _SECTIONS.items()
        if name in stored
    )
    return f"""# The report, side by side

`python -m experiments.readme` writes the numbers on this page from the files in `results/`, which \
the experiments wrote. Accuracies are on the test images, mean ± standard deviation over n seeds; \
a seed determines the split, the initialisation and the batches. "Inside" means inside the 95 % \
prediction interval of a single run of ours.

An experiment's command runs what is not stored yet, and redraws the figures. `table_3`, \
`ablations`, `budget`, `ladder` and `ingredients` can be stopped at any time and then resume; \
`python -m experiments.table_3 --model 3 --seed 7` repeats one run and compares it with the stored \
one, bit for bit on the same processor and versions.

| item | report, % | ours, % | n | verdict | command | time per seed |
| --- | ---: | --- | ---: | --- | --- | --- |
{items}
{sections}"""


def _mnist_items(result: Result) -> list[str]:
    ours, report = result["test_accuracy"], MNIST.test_accuracy
    place = report_position(ours, report)
    return [_item("Figures 1-3, Tables 1-2", report, ours, place, "mnist", mnist.time_of(result))]


def _table_3_items(result: Result) -> list[str]:
    return [_table_3_item(row, result["rows"][row]) for row in table_3.ROWS]


def _table_3_item(row: str, result: Result) -> str:
    ours, report = result["test_accuracy"], table_3.REPORT[row]
    place = report_position(ours, report, WHOLE_PERCENTS)
    return _item(f"Table 3, model {row}", report, ours, place, "table_3", time_of_row(result))


def _final_items(result: Result) -> list[str]:
    ours, report = result["test_accuracy"], CIFAR10.test_accuracy
    place = report_position(ours, report)
    return [_item("Figures 4-6, Tables 4-5", report, ours, place, "final", final.time_of(result))]


def _ablation_items(result: Result) -> list[str]:
    rows = [(claim, result["rows"][claim["first"]]) for claim in result["claims"]]
    return [
        _item(
            f"Ablation, {claim['first']}", None, row["test_accuracy"],
            f"{claim['text']}: {claim['verdict']}", "ablations", time_of_row(row),
        )
        for claim, row in rows
    ]  # fmt: skip


def _budget_items(result: Result) -> list[str]:
    return [
        _item(
            f"Within the budget, {row}", None, one["test_accuracy"],
            budget.verdict(row, one["test_accuracy"]), "budget", time_of_row(one),
        )
        for row, one in result["rows"].items()
    ]  # fmt: skip


def _ladder_items(result: Result) -> list[str]:
    return [
        _item(
            f"Ladder, {name}", None, row["test_accuracy"], ladder.verdict(name, row),
            "ladder", time_of_row(row),
        )
        for name, row in result["rows"].items()
    ]  # fmt: skip


def _mixed_precision(result: Result) -> str:
    dtype, draws = result["dtype"], result["draws"]
    return f"""float32 weights with x in {dtype}, measured by \
[`python -m experiments.mixed_precision`](mixed_precision.py): the error of the weights' gradient \
against float64 on the same numbers, |dW - dW64| / |dW64|, the largest of {draws} draws. Ours \
accumulates it in float32; autodiff of the reference implementation rounds it to {dtype} and casts \
it back, unless XLA drops the rounding: "as written" is autodiff where XLA may not. A row is a \
data point for dense, a patch for conv2d.

{mixed_precision.table(result)}"""


def _many_classes(result: Result) -> str:
    return f"""What a run's folder costs beside training, on {result["images"]:,} test images, \
measured by [`python -m experiments.many_classes`](many_classes.py): the processor's time, and by \
how much writing raises the peak of the memory. "Before", every pair of classes had a number in \
the figure and a cell in the page; a dash was not measured.

{many_classes.table(result, read_result(many_classes.BEFORE))}"""


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


_SECTIONS: dict[str, tuple[str, Callable[[Result], str], Callable[[Result], list[str]]]] = {
    "mnist": ("Figures 1-3, Tables 1 and 2: MNIST", mnist.section, _mnist_items),
    "table_3": (
        "Table 3: nine models on CIFAR-10", _table_3_section.section, _table_3_items,
    ),
    "final": ("Figures 4-6, Tables 4 and 5: the final network", final.section, _final_items),
    "ablations": ("Ablations that the report proposed", ablations.section, _ablation_items),
    "budget": ("The best within the report's budget", budget.section, _budget_items),
    "ladder": ("From the report's networks to 94 %", ladder.section, _ladder_items),
    "ingredients": (
        "From model 3 to cifar10-minute", ingredients.section, lambda result: [],
    ),
    "images_learned": (
        "Which images each rung learns", images_learned.section, lambda result: [],
    ),
    "text_claims": ("Claims in the report's text", text_claims.section, lambda result: []),
    "mixed_precision": ("Mixed precision", _mixed_precision, lambda result: []),
    "many_classes": ("Many classes", _many_classes, lambda result: []),
    "pictures": ("Own pictures of digits", pictures.section, lambda result: []),
    "accelerator": (
        "Accelerators",
        lambda result: _accelerator_section.accelerator_section(result["devices"]),
        lambda result: _accelerator_section.accelerator_items(result["devices"]),
    ),
}  # fmt: skip
