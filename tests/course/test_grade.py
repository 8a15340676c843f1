"""A class is graded: each gets what is due, whatever another's code does, and once."""

import contextlib
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax._errors import UserError
from ffnn_jax.course import _grade, grade
from ffnn_jax.layers import _relu

RELU = Path(str(_relu.__file__)).read_text("utf-8")
LAST = "dx = jnp.where(positive, dz, jnp.zeros_like(dz))  # (19)\n    return (dx,)"
HARM = """
import os, socket
for harm in (
    lambda: open("../stolen", "w"), lambda: os.fork(), lambda: os.kill(os.getppid(), 9),
    lambda: socket.create_connection(("127.0.0.1", 9)), lambda: print("x" * 10_000_000),
):
    try:
        harm()
    except BaseException:
        pass
"""
STUDENTS = {
    "right": RELU,
    "negated": RELU.replace("(positive, dz,", "(positive, -dz,"),
    "one at the kink": RELU.replace("z, x > 0", "z, x >= 0"),
    "unfinished": RELU.replace(LAST, "raise NotImplementedError"),
    "harmful": HARM + RELU,
    "autodiff": RELU.replace("(positive, dz,", "(positive, jax.grad(lambda d: d @ d)(dz[0]),"),
    "ends": "import os; os._exit(0)",
    "tampers": "import ffnn_jax.verify._run as run\nrun._tasks = lambda *_: ()\n" + RELU,
}  # fmt: skip


def hand_in(folder: Path, students: dict[str, str]) -> Path:
    for student, text in students.items():
        (folder / student / "chapters").mkdir(parents=True, exist_ok=True)
        (folder / student / "chapters" / "relu.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The class, the file of its results, and the table."""
    folder, table = tmp_path_factory.mktemp("grading"), io.StringIO()
    class_, file = hand_in(folder / "class", STUDENTS), folder / "results.json"
    (class_ / "absent").mkdir()
    with contextlib.redirect_stdout(table):
        assert grade([class_], str(file)) == 0
    return class_, file, table.getvalue()


def students_in(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())["students"]


@pytest.mark.parametrize(
    ("student", "least", "most", "remark"),
    [
        ("right", 100, 100, ""),
        ("negated", 0, 0, "relu: wrong dx: dx has the wrong sign"),
        ("one at the kink", 85, 95, 'relu: fails kinks: dx matches the known fault "slope 1 at 0"'),
        ("unfinished", 0, 0, "relu: unfinished"),
        ("harmful", 100, 100, ""),
        ("autodiff", 0, 0, "relu: uses autodiff"),
        ("ends", 0, 0, "relu: ended with exit code 0"),
        ("tampers", 0, 0, "relu: replaces ffnn_jax.verify._run._tasks"),
        ("absent", 0, 0, "no chapters"),
    ],
)
def test_each_gets_what_is_due(
    graded: tuple[Path, Path, str], student: str, least: float, most: float, remark: str
):
    result = students_in(graded[1])[student]
    assert least <= result["total"] <= most
    assert result["remark"] == remark
    (line,) = (line for line in graded[2].splitlines() if line.startswith(f"{student}  "))
    assert f"  {result['total']:.0f}" in line


def test_what_was_refused_and_what_failed_are_stored(graded: tuple[Path, Path, str]):
    chapter = students_in(graded[1])["harmful"]["chapters"]["relu"]
    assert [text.split()[0] for text in chapter["refused"]] == [
        "open", "os.fork", "os.kill", "socket.getaddrinfo"
    ]  # fmt: skip
    assert {"setrlimit", "audit hook"} <= {*chapter["confined"]}
    (operation,) = students_in(graded[1])["negated"]["chapters"]["relu"]["operations"].values()
    assert operation["cotangents"] == {"dx": 0}
    assert operation["checks"]["value"] and not operation["checks"]["cotangents"]
    assert "the sign is reversed" in operation["details"][0]


def test_the_table_is_short(graded: tuple[Path, Path, str]):
    assert graded[2].splitlines()[0].split() == ["student", "total", "relu", "remark"]
    assert max(map(len, graded[2].splitlines())) <= 110


def test_only_who_changed_a_chapter_is_graded_again(
    graded: tuple[Path, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class_, stored, _ = graded
    file, seen = tmp_path / "results.json", []
    file.write_text(stored.read_text())

    def again(waiting: dict[str, Any], *_: Any) -> Any:
        seen.extend(waiting)
        return [
            (
                s,
                {
                    "total": 50.0,
                    "remark": "",
                    "seconds": 0.0,
                    "chapters": {"relu": {"points": 0.5}},
                },
            )
            for s in waiting
        ]

    monkeypatch.setattr(_grade, "_grade_all", again)
    grade([class_], str(file))
    assert seen == []
    hand_in(tmp_path, {"right": RELU + "\n", "new": RELU})
    grade([tmp_path / "right", tmp_path / "new", class_ / "ends"], str(file))
    assert seen == ["right", "new"]
    results = students_in(file)
    assert (results["right"]["total"], results["negated"]["total"]) == (50.0, 0.0)


def test_a_grading_that_was_broken_off_has_stored_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: Any) -> Any:
        yield "a", {"total": 0.0, "remark": "", "seconds": 0.0, "chapters": {}}
        raise KeyboardInterrupt

    monkeypatch.setattr(_grade, "_grade_all", broken)
    file = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        grade([hand_in(tmp_path / "class", {"a": RELU, "b": RELU})], str(file))
    assert [*students_in(file)] == ["a"]


@pytest.mark.parametrize(
    "forged",
    [
        {"begins": "nothing"}, {"chapter": "dense", "points": 1.0}, {"chapter": "relu"},
        {"chapter": "relu", "points": "all"}, {"chapter": "relu", "points": 99},
    ],
)  # fmt: skip
def test_what_a_process_may_not_report_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forged: dict[str, Any]
):
    told = [{"begins": "relu"}, forged, {"ended": "ended with exit code 0"}]
    monkeypatch.setattr(_grade, "events", lambda *_: map(dict, told))
    found = _grade._by_a_process({"chapters": ["relu"]}, tmp_path, 1.0, threading.Event())
    assert found == {"relu": _grade._nothing("ended with exit code 0")}


def test_another_file_is_not_overwritten(tmp_path: Path):
    file = tmp_path / "thesis.json"
    file.write_text('{"chapters": 5}')
    with pytest.raises(UserError, match="not a file of results"):
        grade([hand_in(tmp_path / "class", {"a": RELU})], str(file))
    assert file.read_text() == '{"chapters": 5}'


def test_results_of_other_chapters_are_not_overwritten(graded: tuple[Path, Path, str]):
    class_, stored, _ = graded
    before = stored.read_text()
    with pytest.raises(UserError, match=r"results of other chapters \(relu\); name another"):
        grade([class_], str(stored), ("dense", "relu"))
    assert stored.read_text() == before


def test_nobody_is_graded_where_the_own_chapters_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_grade, "source_of", lambda chapter: STUDENTS["ends"])
    with pytest.raises(UserError, match="own chapters fail here: relu: ended with exit code 0"):
        grade([hand_in(tmp_path / "class", {"a": RELU})], str(tmp_path / "results.json"))
