"""A bad setting gives one line and exit code 2, in under a second and before jax is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import trials

PROGRAM = """
import sys
from ffnn_jax.cli import main
try:
    main(sys.argv[1:])
finally:
    print("jax" in sys.modules)
"""
BAD = {
    "--learning-rate -1": "learning-rate must be ",
    "--learning-rate 0": "learning-rate must be ",
    "--learning-rate nan": "learning-rate must be ",
    "--learning-rate inf": "learning-rate must be ",
    "--learning-rate ten": "learning-rate: must be a number, got 'ten'",
    "--momentum 1": "momentum must be ",
    "--weight-decay -1e-4": "weight-decay must be ",
    "--batch-size 0": "batch-size must be ",
    "--batch-size 1.5": "batch-size: must be an integer, got '1.5'",
    "--steps -1": "steps must be ",
    "--seed -1": "seed must be ",
    "--seed 1180591620717411303424": "seed must be ",
    "--seeds 0": "seeds must be ",
    "--validation drawn:-1": "validation: images must be ",
    "--normalisation channelmean": "normalisation must be ",
    "--augment flop": "augment",
    "--schedule triangle": "schedule",
    "--precision bf61": "precision",
    "--checkpoint-every 0": "checkpoint-every must be ",
    "--lerning-rate 1": "lerning-rate",
    "mnits": "mnits",
    "--resume nowhere": "nowhere: not a run that can be resumed",
}


@pytest.mark.faults("a bad setting")
@pytest.mark.parametrize("words", trials(list(BAD), 3))
def test_a_bad_setting_is_rejected_in_one_line(tmp_path: Path, words: str):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, "train", *words.split()],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stdout == "False\n"
    (line,) = run.stderr.splitlines()
    assert BAD[words] in line
    assert list(tmp_path.iterdir()) == []
