"""``ffnn-jax compare``."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from ffnn_jax.config import preset
from ffnn_jax.data import load_splits
from ffnn_jax.nn import Dense, MaxPool
from ffnn_jax.runs import compute, write_config, write_run
from tests.cli.conftest import code_of

pytestmark = pytest.mark.usefixtures(
    "quick_compilation_of_the_module", "blank_figures_of_the_module"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose runs/ has two finished runs, an older one that did not finish, and others."""
    place = tmp_path_factory.mktemp("place")
    layers = MaxPool(4), Dense(10)
    settings = dataclasses.replace(preset("course"), layers=layers, steps=4, seeds=2)
    write_config(place / "runs" / "course-1", settings)
    os.utime(place / "runs" / "course-1" / "config.json", (0, 0))
    splits = load_splits(settings.dataset)
    for number in (2, 3):
        changed = dataclasses.replace(settings, steps=2 * number)
        write_run(place / "runs" / f"course-{number}", compute(changed, splits))
        os.utime(place / "runs" / f"course-{number}" / "config.json", (number, number))
    (place / "runs" / ".dry-run-x").mkdir()
    (place / "runs" / ".dry-run-x" / "config.json").write_text("{}")
    (place / "runs" / "notes").mkdir()
    return place


@pytest.fixture(autouse=True)
def _in_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def test_without_names_it_lists_the_runs_the_newest_first(capsys):
    assert code_of("compare", "--json", "-") == 0
    printed = capsys.readouterr()
    runs = json.loads(printed.out)["runs"]
    assert [(run["name"], run["state"], run["steps"]) for run in runs] == [
        ("course-3", "finished", 6), ("course-2", "finished", 4), ("course-1", "stopped", 0),
    ]  # fmt: skip
    rows = [line.split() for line in printed.err.splitlines()[-3:]]
    assert [row[0] for row in rows] == ["course-3", "course-2", "course-1"]
    assert rows[2] == ["course-1", "course", "mnist_5k", "stopped", "0", "of", "4", "–", "–"]


def test_a_damaged_run_is_said_and_the_others_are_listed(place: Path, capsys):
    broken = place / "runs" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("[")
    try:
        assert code_of("compare") == 1
    finally:
        (broken / "config.json").unlink()
        broken.rmdir()
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith(f"{Path('runs/broken/config.json')} cannot be read")
    assert "course-1" in printed.out


def test_where_there_is_no_run_that_is_said(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert code_of("compare") == 0
    assert capsys.readouterr().out == "no runs in runs/\n"


def test_two_runs_by_name_and_by_path_leave_a_page_and_json(tmp_path: Path, capsys):
    page, found = tmp_path / "page.html", tmp_path / "found.json"
    words = "compare", "course-2", "runs/course-3", "--out", page, "--json", found
    assert code_of(*words) == 0
    printed = capsys.readouterr().out
    assert "course-3 against course-2:" in printed
    assert printed.endswith(f"\npage: {page}\n")
    comparison = json.loads(found.read_text())
    assert comparison["settings"] == {"steps": [4, 6]}
    (pair,) = comparison["pairs"]
    assert pair["images"]["images"] == 1000 and "pixels" not in pair["images"]
    assert pair["seeds"]["seeds"] == [0, 1]
    text = page.read_text(encoding="utf-8")
    assert "course-3 against course-2" in text
    assert len(pair["images"]["shown"]) == text.count("data:image/png")


def test_a_run_that_did_not_finish_is_compared_without_its_predictions(tmp_path: Path, capsys):
    assert code_of("compare", "course-1", "course-2", "--out", tmp_path / "page.html") == 0
    note = "no test: course-1 did not finish, so its predictions are not known"
    assert note in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["course-2"], "compare needs two or more different runs, got course-2"),
        (["course-2", "runs/course-2"], "compare needs two or more different runs, got course-2 "),
        (
            ["coarse-2", "course-3"],
            "coarse-2: no such run, neither here nor in runs/; did you",
        ),
        (["course-2", "notes"], "notes: not the folder of a run (it has no config.json)"),
        (["course-2", "runs"], "runs: not the folder of a run (it has no config.json)"),
        (["course-2", "course-3", "--out", "nowhere/page.html"], "nowhere/page.html cannot be"),
        (["course-2", "course-3", "--out", "x", "--json", "x"], "out and json must be two files"),
    ],
)
def test_a_bad_argument_is_rejected_in_one_line(words, message, capsys):
    assert code_of("compare", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.removeprefix("ffnn-jax: ").startswith(message)
    assert not Path("compare.html").exists()
