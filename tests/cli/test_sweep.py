"""The command trains what is missing, and its table and its JSON have what is stored."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.runs.sweeps import read_records
from tests.cli.conftest import code_of
from tests.systems import posix

pytest.importorskip("distributed")
FILE = """
base = "quickstart"
seeds = 2
[grid]
steps = [20, {}]
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Calls are noted and not made; seed 1 of 30 steps fails."""
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(FILE.format(30))
    asked = []

    def outcomes(calls, scheduler):
        for (row, seed), (_, _, settings, *_) in calls.items():
            asked.append((row, seed, scheduler))
            record = {
                "row": row, "seed": seed, "test_accuracy": 0.5 + seed / 10,
                "validation_accuracy": 0.25, "train_seconds": 2.0,
                "settings": settings.to_json() | {"seed": seed, "forms": {}},
            }  # fmt: skip
            yield (row, seed), (None, "it was too hot") if "30" in row and seed else (record, "")

    monkeypatch.setattr("ffnn_jax.runs.sweeps._sweep.outcomes", outcomes)
    return asked


def test_a_sweep_prints_each_seed_and_a_table_and_says_what_failed(asked: list[Any], capsys):
    assert code_of("sweep", "s.toml", "--json", "a.json", "--scheduler", "tcp://there:1") == 1
    first, second = "quickstart, steps 20", "quickstart, steps 30"
    pairs = [(row, seed) for seed in (0, 1) for row in (first, second)]
    assert asked == [(*pair, "tcp://there:1") for pair in pairs]
    output = capsys.readouterr()
    lines = [" ".join(line.split()) for line in output.out.splitlines()]
    assert lines[:5] == [
        "4 seeds to train",
        f"{first} seed 0: test accuracy 0.5000", f"{second} seed 0: test accuracy 0.5000",
        f"{first} seed 1: test accuracy 0.6000", f"'{second}' seed 1: it was too hot",
    ]  # fmt: skip
    assert f"{first} 2 55.0 ± 7.1 % 25.0 ± 0.0 % 2.0 s" in lines
    assert f"{second} 1 50.0 % 25.0 % 2.0 s" in lines
    assert lines[-1] == "results in runs/sweep-s"
    assert output.err.startswith("ffnn-jax: 1 of 4 seeds failed, listed in runs/sweep-s/seeds.f")
    assert json.loads(Path("a.json").read_text())["rows"][first] == {
        "seeds": [0, 1], "test_accuracy": [0.5, 0.6], "validation_accuracy": [0.25, 0.25],
        "train_seconds": [2.0, 2.0],
    }  # fmt: skip


def test_a_sweep_goes_on_where_it_stopped_and_json_alone_is_on_standard_output(asked, capsys):
    code_of("sweep", "s.toml", "--out", "here")
    del asked[:]
    capsys.readouterr()
    assert code_of("sweep", "s.toml", "--out", "here", "--seeds", "1", "--json", "-") == 0
    assert asked == []
    rows = json.loads(capsys.readouterr().out)["rows"].values()
    assert [row["seeds"] for row in rows] == [[0, 1], [0]]  # all that is stored


def test_a_sweep_that_is_rejected_prints_one_line_alone(asked: list[Any], capsys):
    code_of("sweep", "s.toml", "--out", "here")
    capsys.readouterr()
    Path("s.toml").write_text('base = "quickstart"\n[rows."quickstart, steps 20"]\n')
    assert code_of("sweep", "s.toml", "--out", "here", "--json", "a.json") == 2
    output = capsys.readouterr()
    row = "'quickstart, steps 20'"
    assert output.err.endswith(f"has seed 0 of {row} with other settings: move it away\n")
    assert output.out == "" and not Path("a.json").exists()


@posix
def test_a_signal_ends_a_sweep_at_once_and_says_how_to_go_on(tmp_path: Path):
    """Its first row is stored, the second has a million steps."""
    (tmp_path / "s.toml").write_text(FILE.format(10**6))
    command = [sys.executable, "-m", "ffnn_jax", "sweep", "s.toml", "--seeds", "1"]
    pipe = subprocess.PIPE
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2 seeds to train\n"
        assert process.stdout.readline().startswith("quickstart, steps 20 seed 0: test accuracy")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    file = "runs/sweep-s/seeds.jsonl"
    hint = f"finished seeds are in {file}: the same command goes on"
    assert (process.returncode, errors) == (130, f"ffnn-jax: ended by SIGINT; {hint}\n")
    assert len(read_records(tmp_path / file)) == 1
