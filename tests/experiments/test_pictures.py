import json
from pathlib import Path

import numpy as np
import pytest

from experiments import pictures
from experiments._degradations import DEGRADATIONS, HALVES
from experiments._drawn_digits import PAPERS, PENS, drawn_digits
from experiments._results import RESULTS, read_result


def test_the_halves_share_no_pen_and_no_paper():
    for kinds in (PENS, PAPERS):
        developed, held_out = (kinds[half] for half in HALVES)
        assert not set(developed) & set(held_out)


def test_every_degradation_changes_the_picture():
    one = next(drawn_digits(HALVES[0], 1))
    assert len(DEGRADATIONS) == 10
    for degrade in DEGRADATIONS.values():
        image = degrade(one, 0, np.random.default_rng(0))
        assert image.size != one.image.size or (np.asarray(image) != np.asarray(one.image)).any()


def test_the_table_has_one_line_per_degradation():
    rows = {"as drawn": {"right": 3}, "noise": {"right": 2}}
    earlier = {"as drawn": {"right": 2}, "noise": {"right": 0}}
    result = {"drawn": 3, "rows": rows, "earlier": earlier}
    assert pictures.table(result) == (
        "| one thing added | read, of 3 | earlier |\n"
        "| --- | ---: | ---: |\n"
        "| as drawn | 3 | 2 |\n"
        "| noise | 2 | 0 |\n"
    )


def test_the_stored_result_satisfies_the_experiment_s_claim():
    result = read_result(RESULTS / "pictures.json")
    assert set(result["rows"]) == {"as drawn", *DEGRADATIONS}
    right = [row["right"] for row in result["rows"].values()]
    assert min(right) >= 0.9 * result["drawn"]
    assert result["png_accuracy"] == result["test_accuracy"]


@pytest.mark.slow
def test_the_quick_setting_reads_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    pictures.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "pictures.json").read_text())
    assert set(result["rows"]) == {"as drawn", *DEGRADATIONS}
