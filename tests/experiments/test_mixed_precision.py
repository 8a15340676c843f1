import json
from pathlib import Path

import pytest

from experiments import mixed_precision
from experiments._results import RESULTS, read_result


def test_the_table_has_one_line_per_layer_and_rule():
    result = {
        "rows": [256, 4096],
        "errors": {"dense": {"ours": [1.25e-7, 2e-7], "autodiff": [1.7e-3, 1.6e-3]}},
    }
    assert mixed_precision.table(result) == (
        "| layer | gradient of w by | 256 rows | 4,096 rows |\n"
        "| --- | --- | ---: | ---: |\n"
        "| dense | ours | 1.2e-07 | 2.0e-07 |\n"
        "| dense | autodiff | 1.7e-03 | 1.6e-03 |\n"
    )


def test_the_stored_result_satisfies_the_experiment_s_claim():
    result = read_result(RESULTS / "mixed_precision.json")
    assert result["rows"] == [256, 4096, 16384]
    assert set(result["errors"]) == set(mixed_precision.LAYERS)
    for rules in result["errors"].values():
        assert max(rules["ours"]) < 1e-6
        assert min(rules["autodiff, as written"]) > 1e-3


@pytest.mark.slow
def test_the_quick_setting_finds_autodiff_s_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    mixed_precision.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "mixed_precision.json").read_text())
    for rules in result["errors"].values():
        assert max(rules["ours"]) < 1e-6 < 1e-3 < min(rules["autodiff, as written"])
