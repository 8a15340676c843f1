"""The report side by side with what was found: experiments/README.md, from the stored results."""

from typing import Any

from experiments import _table_3_section, budget, final, mnist, prose, table_3, wishes
from experiments._quote import percent, processor, standing
from experiments._report import CIFAR10_TEST_ACCURACY, MNIST_TEST_ACCURACY
from experiments._results import RESULTS, read_result


def results() -> dict[str, dict[str, Any]]:
    """Every stored result that the page is made of."""
    names = ("mnist", "table_3", "final", "wishes", "budget", "prose")
    return {name: read_result(RESULTS / f"{name}.json") for name in names}


def page(found: dict[str, dict[str, Any]]) -> str:
    """The whole page."""
    return f"""# The report, side by side

Every number on this page is made by `python -m experiments.readme` from the files in `results/`. \
Accuracies are mean ± standard deviation over n seeds; a seed decides the split, the \
initialisation and the batches. "Inside" means inside the range of a single run of ours, at 95 %, \
the report's figure being rounded to whole percents. Each experiment runs again by its command, \
from the clone, and goes on where it was stopped.

| item | report | ours | n | the report's run among ours | command | time a seed |
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
    core = processor(found["table_3"]["device"], 1)
    lines = [
        _item(
            "Figures 1-3, Tables 1-2", MNIST_TEST_ACCURACY, digits["test_accuracy"], "mnist",
            mnist.time_of(digits).replace(" of training a seed", ""),
        ),
        *(
            _item(
                f"Table 3, model {row}", table_3.REPORT[row], rows[row]["test_accuracy"],
                "table_3", f"{rows[row]['train_seconds']:.0f} s on {core}",
            )
            for row in table_3.ROWS
        ),
        _item(
            "Figures 4-6, Tables 4-5", CIFAR10_TEST_ACCURACY, last["test_accuracy"], "final",
            f"{last['train_seconds']:.0f} s on {core}",
        ),
        *(
            _item(f"{title}, {row}", None, one["test_accuracy"], name,
                  f"{one['train_seconds']:.0f} s on {core}")
            for name, title in (("wishes", "wished for"), ("budget", "within the budget"))
            for row, one in found[name]["rows"].items()
            if row != "3"
        ),
    ]  # fmt: skip
    return "".join(lines)


def _item(item: str, report: float | None, ours: list[float], name: str, time: str) -> str:
    cells = (
        item,
        "" if report is None else f"{100 * report:.1f}".removesuffix(".0"),
        percent(ours),
        len(ours),
        "" if report is None else standing(ours, report),
        f"[`python -m experiments.{name}`]({name}.py)",
        time,
    )
    return f"| {' | '.join(map(str, cells))} |\n"
