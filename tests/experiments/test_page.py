"""The report side by side: what is quoted is what is stored, and every link leads somewhere."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import readme, table_3
from experiments._page import page, results
from experiments._results import RESULTS
from ffnn_jax.config import UserError

HERE = Path(__file__).parents[2] / "experiments"
PAGE = (HERE / "README.md").read_text(encoding="utf-8")


def test_all_that_quotes_results_is_made_from_them():
    """README, experiments/README.md and the heads of the experiments."""
    stale = [
        path.name
        for path, text in readme.written().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run python -m experiments.readme"


def test_a_result_that_changes_changes_the_page():
    found = results()
    row = found["table_3"]["rows"]["3"]
    row["test_accuracy"] = [value + 0.1 for value in row["test_accuracy"]]
    changed = page(found)
    assert changed != PAGE
    mean = 100 * sum(row["test_accuracy"]) / len(row["test_accuracy"])
    assert f"| Table 3, model 3 | 54 | {mean:.1f} ±" in changed


def test_an_experiment_that_was_not_run_has_no_section():
    found = results()
    del found["text_claims"]
    before, title, section = PAGE.partition("\n## The report's prose\n")
    assert title
    assert page(found) == before + "".join(section.partition("\n## ")[1:])


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_every_link_and_picture_is_there(target: str):
    assert (HERE / target).exists()


@pytest.mark.parametrize(("row", "points"), [("0", 2.5), ("3", 2.5)])
def test_means_of_table_3_are_near_the_report(row: str, points: float):
    ours = results()["table_3"]["rows"][row]["test_accuracy"]
    assert abs(100 * np.mean(ours) - 100 * table_3.REPORT[row]) <= points


def test_the_mean_on_mnist_is_near_the_report():
    assert abs(100 * np.mean(results()["mnist"]["test_accuracy"]) - 97.8) <= 1


def test_a_text_without_the_place_for_a_number_is_rejected():
    with pytest.raises(UserError, match="nothing to replace"):
        readme.with_blocks("# no blocks")


@pytest.mark.parametrize("row", table_3.ROWS)
def test_every_row_of_table_3_has_the_same_seeds_at_least_50(row: str):
    stored = json.loads((RESULTS / "table_3.json").read_text())["rows"]
    seeds = len(stored["0"]["seeds"])
    assert seeds >= 50
    assert stored[row]["seeds"] == list(range(seeds))
    lengths = {len(stored[row][name]) for name in ("test_accuracy", "train_accuracy", "seeds")}
    assert lengths == {seeds}


def test_a_head_is_written_between_the_first_line_and_the_command():
    code = '"""Title.\n\nReport: old.\nTime: old.\n\nCommand: python\n\nMore.\n"""\n'
    again = readme.with_header(code, "Report: new.\n")
    assert again == '"""Title.\n\nReport: new.\n\nCommand: python\n\nMore.\n"""\n'
    assert readme.with_header(again, "Report: new.\n") == again
