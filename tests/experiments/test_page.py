"""The report side by side: quoted numbers are the stored ones, and every link resolves."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import readme, table_3
from experiments._page import page, results
from experiments._results import RESULTS
from experiments.whole_run import VARIANTS
from ffnn_jax.config import UserError

HERE = Path(__file__).parents[2] / "experiments"
PAGE = (HERE / "README.md").read_text(encoding="utf-8")


def test_files_that_quote_results_are_up_to_date():
    """README, experiments/README.md and the docstrings of the experiments."""
    stale = [
        path.name
        for path, text in readme.written().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run python -m experiments.readme"


def test_the_speed_guide_has_the_tables_of_every_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (stored,) = RESULTS.glob("speed-cpu-amd-epyc.json")
    for name in ("cpu-amd-epyc", "cpu-intel-xeon", "gpu-h100"):
        (tmp_path / f"speed-{name}.json").write_text(stored.read_text())
    runs = RESULTS / "whole-run-cpu-amd-epyc.json"
    (tmp_path / "whole-run-cpu-intel-xeon.json").write_text(runs.read_text())
    monkeypatch.setattr(readme, "RESULTS", tmp_path)
    text = readme.with_blocks("<!-- speed -->\n<!-- end -->")
    named = re.findall(r"^On 2 cores of (\S+), where two", text, re.MULTILINE)
    assert named == ["amd-epyc", "intel-xeon", "gpu-h100"]
    assert text.count("| network, batch |") == text.count("<img ") == 3
    assert re.findall(r"^On (\S+):$", text, re.MULTILINE) == ["intel-xeon"]
    assert re.findall(r"`ffnn-jax train (\S+)`, first", text) == [*VARIANTS]


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
    before, title, section = PAGE.partition("\n## Claims in the report's text\n")
    assert title
    assert page(found) == before + "".join(section.partition("\n## ")[1:])


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_every_link_and_picture_exists(target: str):
    assert (HERE / target).exists()


@pytest.mark.parametrize(("row", "points"), [("0", 2.5), ("3", 2.5)])
def test_means_of_table_3_are_near_the_report(row: str, points: float):
    ours = results()["table_3"]["rows"][row]["test_accuracy"]
    assert abs(100 * np.mean(ours) - 100 * table_3.REPORT[row]) <= points


def test_the_mean_on_mnist_is_near_the_report():
    assert abs(100 * np.mean(results()["mnist"]["test_accuracy"]) - 97.8) <= 1


def test_a_block_of_unknown_name_is_an_error():
    with pytest.raises(KeyError, match="nothing"):
        readme.with_blocks("<!-- nothing -->\n<!-- end -->")


def test_a_header_without_a_command_is_rejected():
    with pytest.raises(UserError, match="nothing to replace"):
        readme.with_header('"""An experiment without a command."""', "text")


@pytest.mark.parametrize("row", table_3.ROWS)
def test_every_row_of_table_3_has_the_same_50_or_more_seeds(row: str):
    stored = json.loads((RESULTS / "table_3.json").read_text())["rows"]
    seeds = len(stored["0"]["seeds"])
    assert seeds >= 50
    assert stored[row]["seeds"] == list(range(seeds))
    lengths = {len(stored[row][name]) for name in ("test_accuracy", "train_accuracy", "seeds")}
    assert lengths == {seeds}


def test_a_header_is_written_between_the_first_line_and_the_command():
    code = '"""Title.\n\nReport: old.\nTime: old.\n\nCommand: python\n\nMore.\n"""\n'
    again = readme.with_header(code, "Report: new.\n")
    assert again == '"""Title.\n\nReport: new.\n\nCommand: python\n\nMore.\n"""\n'
    assert readme.with_header(again, "Report: new.\n") == again
