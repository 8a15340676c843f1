import json
from pathlib import Path

import pytest

from experiments import many_classes
from experiments._results import RESULTS, read_result


def test_the_table_has_a_line_for_each_number_of_classes():
    row = {"seconds": 9, "processor_seconds": 2.04, "megabytes": 1070, "page_kilobytes": 240}
    table = many_classes.table({"rows": {"10": row, "1000": row}}, {"rows": {"10": row}})
    assert table.splitlines()[2:] == [
        "| 10 | 2.0 | 2.0 | 1,070 | 1,070 | 240 | 240 |",
        "| 1,000 | 2.0 | – | 1,070 | – | 240 | – |",
    ]


def test_the_stored_result_satisfies_the_experiment_s_claim():
    rows = read_result(RESULTS / "many_classes.json")["rows"]
    assert list(map(int, rows)) == list(many_classes.CLASSES)
    assert rows["1000"]["processor_seconds"] < 10
    assert rows["1000"]["megabytes"] < 500
    assert rows["1000"]["page_kilobytes"] < 2 * rows["10"]["page_kilobytes"]


@pytest.mark.slow
def test_the_quick_setting_writes_a_run_of_26_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    many_classes.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "many_classes.json").read_text())
    (row,) = result["rows"].values()
    assert 0 < row["processor_seconds"] < 10
