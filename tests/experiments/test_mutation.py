"""Which tests a fault meets, what counts as noise, and how the faults are counted."""

import json

import pytest

from experiments.mutation._covering import Covering, named_tests
from experiments.mutation._fault import Fault, shares
from experiments.mutation._noise import covers, noise
from experiments.mutation._table import equivalents, mutation_table

SOURCE = '''
"""µ"""
def f(x: int | None = 1) -> tuple[int, ...]:
    assert x
    μ: int | None = 2; return zip(x, strict=True), cast(int | None, x + 3)
Leaf = int | None
LIMIT = 4 | 8
'''
MIRROR, BESIDE, FAR = "tests/a/test_b.py", "tests/a/test_c.py", "tests/z/test_d.py"
SECONDS = {f"{MIRROR}::x": 1.0, f"{BESIDE}::y": 2.0, f"{BESIDE}::slow": 9.0, f"{FAR}::z": 0.5}


def covering(lines, seconds=SECONDS):
    return Covering({"ffnn_jax/a/_b.py": lines}, seconds)


@pytest.mark.parametrize(
    ("text", "is_noise"),
    [
        ("| None = 1", True), ("1) ->", False), ("...]", True), ("x\n    μ", True),
        ("| None = 2", True), ("2; ", False), ("True", True), ("| None, x", True),
        ("+ 3", False), ("| None\nLIMIT", True), ("| 8", False),
    ],
)  # fmt: skip
def test_types_assertions_and_keywords_of_invariants_are_noise(text, is_noise):
    before = SOURCE[: SOURCE.index(text)]
    position = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
    assert covers(noise(SOURCE), position) is is_noise


def test_the_mirrored_file_runs_first_then_what_covers_the_line_and_then_the_folder():
    tests = covering({"7": [f"{MIRROR}::x", f"{FAR}::z"], "8": [f"{FAR}::z"]})
    first, mirrored, far, folder = tests.stages("ffnn_jax/a/_b.py", 7)
    assert (first, mirrored, far) == ([f"{MIRROR}::x"], [MIRROR], [f"{FAR}::z"])
    assert folder == [f"{BESIDE}::y", f"{BESIDE}::slow"]


def test_without_a_file_of_its_name_the_file_that_covers_most_runs_first():
    seconds = {test: took for test, took in SECONDS.items() if not test.startswith(MIRROR)}
    first, *_ = covering({"7": [f"{BESIDE}::y"], "8": [f"{FAR}::z"]}, seconds).stages(
        "ffnn_jax/a/_b.py", 8
    )
    assert first == [BESIDE]


def test_of_a_long_mirrored_file_only_the_tests_that_cover_the_line_run():
    seconds = {f"{MIRROR}::x": 190.0, f"{MIRROR}::w": 20.0}
    tests = covering({"7": [f"{MIRROR}::w"]}, seconds)
    assert tests.stages("ffnn_jax/a/_b.py", 7) == [[f"{MIRROR}::w"]]


def test_lines_that_run_in_a_setup_are_covered_by_every_test_of_its_file():
    tests = [f"{MIRROR}::x", f"{MIRROR}::w", f"{FAR}::z"]
    assert named_tests("", tests) == set()
    assert named_tests(f"{MIRROR}::x (call)", tests) == {f"{MIRROR}::x"}
    assert named_tests(f"{MIRROR}::x (setup)", tests) == {f"{MIRROR}::x", f"{MIRROR}::w"}


def test_at_most_40_tests_run_and_at_most_a_minute_of_them():
    seconds = {f"{FAR}::{i}": 1.0 for i in range(50)}
    assert len(covering({}, seconds).fastest(seconds)) == 40
    seconds = {f"{FAR}::{i}": 20.0 + i for i in range(50)}
    assert covering({}, seconds).fastest(seconds) == [f"{FAR}::0", f"{FAR}::1"]


def test_faults_are_spread_in_proportion_and_no_room_is_empty():
    assert shares({"a": 900, "b": 99, "c": 1}, 100) == {"a": 90, "b": 10, "c": 1}
    assert Fault("ffnn_jax/a/b/_c.py", 1, "", 0).room == "a"
    assert Fault("ffnn_jax/_c.py", 1, "", 0).room == "top level"


def test_the_table_counts_by_room_and_leaves_equivalents_out_of_the_share():
    def row(verdict, before, line=1):
        names = {"file": "ffnn_jax/a/_b.py", "line": line, "before": before, "after": "0"}
        return names | {"verdict": verdict}

    rows = [row("found", "1"), row("timeout", "2"), row("survived", "3"), row("survived", "4", 9)]
    table = mutation_table(rows, {("ffnn_jax/a/_b.py", "3", "0"): "a reason"})
    *_, room, total, _, left = table.splitlines()
    assert room == "| a | 4 | 2 | 1 | 1 | 66.7 |"
    assert total == "| all | 4 | 2 | 1 | 1 | 66.7 |"
    assert left == "- ffnn_jax/a/_b.py:9: `4` -> `0`"


def test_every_equivalent_fault_has_a_reason(tmp_path):
    assert all(reason.endswith(".") for reason in equivalents().values())
    path = tmp_path / "equivalents.json"
    path.write_text(json.dumps([{"file": "a", "before": "b", "after": "c", "reason": "d."}]))
    assert equivalents(path) == {("a", "b", "c"): "d."}
