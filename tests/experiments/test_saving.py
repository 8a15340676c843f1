import json
from pathlib import Path

import pytest

from experiments import saving


@pytest.mark.slow
def test_the_quick_setting_gives_each_network_a_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    saving.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "saving.json").read_text())
    assert list(result["rows"]) == ["mnist", "cifar10-0", "cifar10-3"]
    assert all(0 < row["median"] < 1 for row in result["rows"].values())
