"""What a run prints before it begins and meanwhile."""

import re
from dataclasses import replace

import pytest

from ffnn_jax._console import plain_console
from ffnn_jax.config import preset
from ffnn_jax.data import load_splits
from ffnn_jax.runs import ProgressDisplay, _progress, plan, print_run_header
from ffnn_jax.training import Progress


def test_a_long_run_prints_at_most_30_lines_and_its_last_step(capsys: pytest.CaptureFixture[str]):
    planned = plan(replace(preset("quickstart"), steps=95), load_splits("mnist_5k"))
    display = ProgressDisplay(planned, plain_console())
    for step in range(1, 96):
        display.on_progress(Progress(step, 95, 1.0, 0.5, None, 1.0, 1.0))
    steps = [
        int(line.split()[1].partition("/")[0]) for line in capsys.readouterr().out.splitlines()
    ]
    assert steps == [1, *range(4, 95, 4), 95]


def test_several_devices_are_said_and_that_one_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    several = {**_progress.device(), "count": 4}
    monkeypatch.setattr(_progress, "device", lambda used: several)
    planned = plan(preset("quickstart"), load_splits("mnist_5k"))
    print_run_header(plain_console(), planned)
    hint = "--devices all would use more"
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"device \w+ \(.+\), 4 devices, 1 used; {hint}, \d+ cores versions", said)
