"""The tables of the installation quote what was stored; an older row of a Python is replaced."""

from pathlib import Path

import pytest

from experiments import install
from experiments._results import read_result, write_result

BASE = {"packages": 20, "seconds": 21.4, "megabytes": 635.2}
RUN = {"packages": 61, "seconds": 40.0, "megabytes": 1101.0}
SDIST = {"python": "3.11.7", "jax": "0.10.2", "passed": 2300, "seconds": 300.2}


def row(python: str, seconds: float = 21.4) -> dict:
    return {"python": python, "jax": "0.10.2", "base": BASE | {"seconds": seconds}, "run": RUN}


def test_base_and_run_stand_side_by_side():
    assert install.install_tables({"rows": [row("3.11.7")], "sdist": [SDIST]}).splitlines()[2:] == [
        "| 3.11.7 | 0.10.2 | 635 MB, 20 packages, 21 s | 1,101 MB, 61 packages, 40 s |",
        "",
        "| Python | jax | the sdist's tests passed | time |",
        "| --- | --- | --- | --- |",
        "| 3.11.7 | 0.10.2 | 2300 | 300 s |",
    ]


def test_the_table_of_tests_begins_with_the_first_of_them():
    assert "tests" not in install.install_tables({"rows": [row("3.11.7")], "sdist": []})


def test_a_new_measurement_replaces_that_of_the_same_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "install.json"
    write_result(path, {"quick": False, "rows": [row("3.11.7"), row("3.9.1")], "sdist": [SDIST]})
    monkeypatch.setattr(install, "RESULT", path)
    monkeypatch.setattr(install, "measure", lambda interpreter: row("3.11.7", seconds=5.0))
    install.main(["python3.11"])
    result = read_result(path)
    assert [row["python"] for row in result["rows"]] == ["3.9.1", "3.11.7"]
    assert result["rows"][1]["base"]["seconds"] == 5.0
    assert result["sdist"] == [SDIST]
