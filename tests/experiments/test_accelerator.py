"""An accelerator's parts are processes that fail alone, and what is stored is what is shown."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import _accelerator_parts, _ladder_run, accelerator
from experiments._accelerator_parts import LADDER, Part, parts
from experiments._accelerator_section import (
    accelerator_items,
    accelerator_line,
    accelerator_section,
)
from experiments._results import read_result, run_command, write_result
from ffnn_jax.config import UserError

GPU = {"quick": True, "device": "gpu-acme-g1", "commit": "abc", "versions": {"jax": "0.10.2"}}
CPU = {**GPU, "quick": False, "device": "cpu-acme"}
GOOD = Part(("-c", "print('5 passed in 0.1s')"), _accelerator_parts.figures_of_tests)
BAD = Part(("-c", "print('out of memory'); raise SystemExit(3)"), lambda output: {})
RUN = {
    "preset": "cifar10-0", "seeds": [0, 1], "test_accuracy": [0.48, 0.5], "compile_seconds": 3.0,
    "train_seconds": 12.5, "images_per_second": 900.0, "confusion": [[1]],
}  # fmt: skip


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Runs the command with these parts on a GPU; returns what is stored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(accelerator, "run_alone", lambda function, quick: GPU)

    def run(found: dict[str, Part | None], *names: str) -> dict:
        monkeypatch.setattr(accelerator, "parts", lambda *arguments: found)
        accelerator.main(names, quick=True)
        return stored(tmp_path)

    return run


def stored(folder: Path) -> dict:
    return read_result(folder / "runs" / "quick" / "accelerator-gpu-acme-g1.json")


def test_a_cpu_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(accelerator, "run_alone", lambda function, quick: CPU)
    monkeypatch.setattr("sys.argv", ["accelerator"])
    with pytest.raises(SystemExit) as end:
        run_command(accelerator.main)
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "jax has no accelerator here, only cpu-acme: --quick runs on any device\n"
    )


def test_every_part_is_stored_with_its_command_figures_and_provenance(ran: Callable[..., dict]):
    result = ran({"tests": GOOD, "94 %": None})
    assert (result["device"], result["quick"]) == ("gpu-acme-g1", True)
    part = result["parts"]["tests"]
    assert part["seconds"] >= 0
    assert {name: part[name] for name in part if name != "seconds"} == {
        "command": "python -c print('5 passed in 0.1s')", "exit_code": 0,
        "figures": {"passed": 5, "failures": []}, "device": "gpu-acme-g1", "commit": "abc",
        "versions": {"jax": "0.10.2"},
    }  # fmt: skip
    assert result["parts"]["94 %"] == "not run"


def test_a_part_that_fails_loses_no_other_and_ends_the_command_with_1(
    ran: Callable[..., dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as end:
        ran({"bad": BAD, "tests": GOOD})
    assert end.value.code == 1
    assert capsys.readouterr().err == "failed: bad\n"
    found = stored(tmp_path)["parts"]
    assert (found["bad"]["exit_code"], found["bad"]["last_lines"]) == (3, ["out of memory"])
    assert accelerator.succeeded(found["tests"])
    assert "last_lines" not in found["tests"]


def test_a_part_without_figures_has_failed(ran: Callable[..., dict], tmp_path: Path):
    silent = Part(("-c", "print('no tests')"), _accelerator_parts.figures_of_tests)
    with pytest.raises(SystemExit):
        ran({"silent": silent})
    part = stored(tmp_path)["parts"]["silent"]
    assert part["exit_code"] == 0
    assert part["problem"] == "no figures: ValueError('no counts of tests')"


def test_a_part_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(accelerator, "_MOST_SECONDS", 0.2)
    result = accelerator.run_part(Part(("-c", "import time; time.sleep(60)"), lambda output: {}))
    assert result["exit_code"] is None
    assert not accelerator.succeeded(result)


def test_named_parts_run_alone_and_keep_what_is_stored(ran: Callable[..., dict]):
    ran({"tests": GOOD, "other": GOOD})
    again = Part(("-c", "print('7 passed')"), _accelerator_parts.figures_of_tests)
    found = ran({"tests": BAD, "other": again}, "other")["parts"]
    assert [found[name]["figures"]["passed"] for name in ("tests", "other")] == [5, 7]
    with pytest.raises(UserError, match=r"unknown part 'othr' .known: tests, other.*other"):
        ran({"tests": BAD, "other": again}, "othr")


def test_processes_that_share_the_device_reserve_none_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    code = "import os; print(os.environ.get('XLA_PYTHON_CLIENT_PREALLOCATE'))"
    for shares, printed in ((True, "false"), (False, "None")):
        found = accelerator.run_part(Part(("-c", code), lambda output: {"said": output}, shares))
        assert found["figures"]["said"] == f"{printed}\n"


def test_failed_tests_are_named():
    output = "FAILED tests/a.py::test_x[1] - assert\nERROR tests/b.py\n2 failed, 9 passed in 3s\n"
    assert _accelerator_parts.figures_of_tests(output) == {
        "failed": 2, "passed": 9, "failures": ["tests/a.py::test_x[1]", "tests/b.py"],
    }  # fmt: skip


def test_the_parts_are_the_ones_demanded(tmp_path: Path):
    found = parts(False, tmp_path / "speed.json", tmp_path)
    commands = {name: part and " ".join(part.arguments) for name, part in found.items()}
    assert commands.pop("record") is None
    assert commands["tests"] == "-m pytest"
    assert commands["steps"] == "-m experiments.speed"
    assert re.match(r"-m ffnn_jax train cifar10-0 --seeds 50 ", commands["row of Table 3"] or "")
    assert re.match(r"-m ffnn_jax train quickstart --seeds 64 ", commands["many seeds"] or "")
    assert commands["94 %"] == f"-m experiments._ladder_run {LADDER} 50 bf16"
    record = parts(True, tmp_path / "speed.json", tmp_path, Path("a.py"))["record"]
    assert record is not None
    assert record.arguments == ("-m", "experiments._record", "a.py", "2")


def test_the_record_s_warm_up_is_left_out():
    output = """
|  run     |  epoch  |  val_acc  |  tta_val_acc  |  time_seconds  |
|  warmup  |      0  |   0.1001  |               |        7.1234  |
|          |   eval  |   0.1000  |       0.1000  |        9.0000  |
|       0  |      0  |   0.5001  |               |        0.3000  |
|          |   eval  |   0.9310  |       0.9400  |        2.5000  |
|       1  |      0  |   0.5101  |               |        0.3000  |
|          |   eval  |   0.9320  |       0.9420  |        2.4000  |
Mean: 0.9410    Std: 0.0014
"""
    assert _accelerator_parts.figures_of_record(output) == {
        "seeds": 2, "test_accuracy": [0.94, 0.942], "seconds": [2.5, 2.4],
    }  # fmt: skip
    with pytest.raises(ValueError, match="no run came to its end"):
        _accelerator_parts.figures_of_record("Killed")


def test_figures_of_seeds_in_groups_are_joined():
    lists = {"test_accuracy": [0.5, 0.6], "plain_test_accuracy": [0.4, 0.5]}
    seconds = {"train_seconds": [2.0, 2.0], "classify_seconds": [0.1, 0.1]}
    line = json.dumps({"preset": "p", "compile_seconds": 9.0, **lists, **seconds})
    found = _ladder_run.read_lines(f"step 1\n{line}\n{line}\n")
    assert (found["seeds"], found["preset"], found["compile_seconds"]) == (4, "p", 9.0)
    assert found["test_accuracy"] == [0.5, 0.6, 0.5, 0.6]
    with pytest.raises(ValueError, match="no seed"):
        _ladder_run.read_lines("out of memory")


def test_accuracies_with_views_are_shown_with_their_interval_and_time():
    views = {
        "views": "six", "seeds": 2, "test_accuracy": [0.94, 0.941], "compile_seconds": 20.0,
        "plain_test_accuracy": [0.93, 0.932], "train_seconds": [1.4, 1.4],
        "classify_seconds": [0.1, 0.1],
    }  # fmt: skip
    record = {"seeds": 2, "test_accuracy": [0.94, 0.94], "seconds": [2.5, 2.4]}
    note = {"note": "Timed without compiling."}
    found = {
        name: {"exit_code": 0, "seconds": 60.0, "figures": figures}
        for name, figures in (("94 %", views), ("record", record))
    }
    found["94 %"] |= note
    section = accelerator_section([{"device": "gpu-acme-g1", "parts": found}])
    assert "\n94 %: Timed without compiling.\n" in section
    assert "94.05 (95 % interval 93.41 to 94.69; 93.1 ± 0.1 % without views) %" in section
    assert "n = 2, trained and tested in 1.50 s each" in section
    assert "trained and tested in 2.45 s each" in section
    line = accelerator_line([{"device": "gpu-acme-g1", "parts": found}])
    assert "gpu-acme-g1 (`cifar10-94`: 94.05 % in 1.50 s once compiled, n = 2)." in line


def test_the_figures_of_a_run_and_of_the_steps_are_those_written(tmp_path: Path):
    path = tmp_path / "speed.json"
    found = parts(False, path, tmp_path)
    row, steps = found["row of Table 3"], found["steps"]
    assert row is not None
    assert steps is not None
    (tmp_path / "row").mkdir()
    (tmp_path / "row" / "result.json").write_text(json.dumps(RUN))
    assert row.figures("") == {name: RUN[name] for name in RUN if name != "confusion"} | {
        "seeds": 2
    }
    write_result(path, {"quick": False, "skipped": {}, "rows": [step("ours"), step("torch-1")]})
    assert [one["variant"] for one in steps.figures("")["rows"]] == ["ours"]


def test_steps_of_an_earlier_run_are_not_taken(tmp_path: Path):
    import os

    path = tmp_path / "speed.json"
    write_result(path, {"quick": False, "skipped": {}, "rows": []})
    os.utime(path, (0, 0))
    steps = parts(False, path, tmp_path)["steps"]
    assert steps is not None
    with pytest.raises(UserError, match="is of an earlier run"):
        steps.figures("")


def step(variant: str, milliseconds: float = 0.25) -> dict:
    return {
        "network": "mnist", "batch": 16, "variant": variant, "median_ms": milliseconds,
        "spread": [0.2, 0.3], "ratio_to_ours": 1.0, "gflops": 1.0,
    }  # fmt: skip


def test_without_an_accelerator_the_page_and_readme_say_so():
    (item,) = accelerator_items([])
    assert "| not run |" in item
    assert "On a GPU: not run. On a TPU: not run." in accelerator_section([])
    assert "Nothing was run on a TPU or timed on a GPU" in accelerator_line([])


def test_what_is_stored_replaces_not_run():
    many = {**RUN, "seeds": 64, "train_seconds": 25.0}
    result = {
        "device": "gpu-acme-g1",
        "parts": {
            "tests": {"exit_code": 1, "seconds": 90.0, "last_lines": ["2 failed"],
                      "figures": {"failed": 2, "passed": 9, "failures": ["a", "b"]}},
            "steps": {"exit_code": 0, "seconds": 60.0,
                      "figures": {"rows": [step("ours"), step("plain", 0.5)], "skipped": {}}},
            "one seed": {"exit_code": 0, "seconds": 20.0, "figures": {**RUN, "seeds": 1}},
            "many seeds": {"exit_code": 0, "seconds": 30.0, "figures": many},
            "row of Table 3": {"exit_code": 2, "seconds": 1.0, "last_lines": ["no cifar10"]},
            "94 %": "not run",
        },
    }  # fmt: skip
    section = accelerator_section([result])
    assert "| tests | 2 failed, 9 passed | 90 |" in section
    assert "trained in 25.0 s, 2.0 times as long as one seed | 30 |" in section
    assert "| row of Table 3 | failed: no cifar10 | 1 |" in section
    assert "| 94 % | not run |  |" in section
    assert "| network, batch | ours, ms | plain, ms |" in section
    assert "| mnist, 16 | 0.25 | 0.5 |" in section
    assert "gpu-acme-g1: 3 of 6 parts done" in accelerator_items([result])[0]
    assert accelerator_line([result]).endswith(": gpu-acme-g1.")
