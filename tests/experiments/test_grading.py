"""Every kind of folder can still be made, and is judged by points, remark and other chapters."""

from pathlib import Path

import pytest

from experiments import grading
from experiments.grading import CHAPTERS, KINDS, Kind, grading_table

ROW = {
    "kind": "endless loop", "folders": 2, "as_expected": 1, "points": 0.0,
    "remark": "stopped after 60 s", "median_seconds": 64.2,
}  # fmt: skip
RESULT = {"folders": 2, "seconds": 65, "seconds_of_all_cores": 66, "cores": 2, "processes_left": 0}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_changes_its_chapter_alone(tmp_path: Path, name: str):
    for kind, student in ((KINDS[name], "student"), (KINDS["right"], "right")):
        kind.write(tmp_path / student, CHAPTERS, tmp_path / "aim")
    chapters, right = (tmp_path / student / "chapters" for student in ("student", "right"))
    files = {file.stem for file in chapters.iterdir()}
    assert files == ({*CHAPTERS} if KINDS[name].text is not None else set())
    other = {
        f for f in files if (chapters / f"{f}.py").read_bytes() != (right / f"{f}.py").read_bytes()
    }
    assert other == ({KINDS[name].chapter} if KINDS[name].text and files else set())


def test_a_class_has_a_hundred_folders():
    assert sum(kind.of_100 for kind in KINDS.values()) == 100


def test_a_change_of_the_chapters_is_noticed(tmp_path: Path):
    with pytest.raises(ValueError, match="dense no longer contains 'nowhere'"):
        Kind("", "", old="nowhere").write(tmp_path / "a", CHAPTERS, tmp_path)


@pytest.mark.parametrize(
    ("dense", "relu", "remark", "fits"),
    [
        (0.85, 1.0, "wrong dw", True),
        (0.95, 1.0, "wrong dw", False),
        (0.75, 1.0, "wrong dw", False),
        (0.85, 0.9, "wrong dw", False),
        (0.85, 1.0, "wrong dwarf", False),
    ],
)
def test_points_remark_and_the_others_must_fit(dense: float, relu: float, remark: str, fits: bool):
    chapters = {"dense": {"points": dense, "remark": remark}, "relu": {"points": relu}}
    assert KINDS["dw averaged"].fits(chapters) == fits


def test_the_table_says_what_was_harmed():
    table = grading_table({**RESULT, "unharmed": False, "rows": [ROW]})
    assert "| endless loop | 2 | 1 | 0 % | 64 | stopped after 60 s |" in table
    assert "2 folders in 65 s (66 s of all cores) on 2 cores; SOMETHING WAS CHANGED" in table


@pytest.mark.slow
def test_every_kind_is_as_expected():
    result = grading.measure(("dense", "relu"), 20.0, 1)
    assert [row for row in result["rows"] if row["as_expected"] != row["folders"]] == []
    assert result["unharmed"] and not result["processes_left"]
