import json
from pathlib import Path

import pytest

from experiments import check_styles


@pytest.mark.slow
def test_all_checks_together_find_what_the_usual_ones_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    check_styles.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "check_styles.json").read_text())
    found = result["found"]
    assert found[check_styles.ALL_OURS] == result["planted"] == 15
    assert found["shapes and finiteness"] == 0
    assert found["`check_grads`, float32"] < found["ours: cotangents alone"] < 15
    assert set(result["rejected"].values()) == {0}
