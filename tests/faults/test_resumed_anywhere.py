"""A run of two seeds that is interrupted after any step resumes to the same bits."""

import random
from pathlib import Path

import pytest

from ffnn_jax.runs import RunResult
from tests.faults.conftest import trials
from tests.runs.test_checkpoints import (
    SETTINGS,
    assert_the_same,
    interrupted_at,
    resumed,
    uninterrupted,  # noqa: F401  (a fixture)
)

STEPS = random.Random(0).sample(range(1, SETTINGS.steps), 10)


@pytest.mark.faults("ended at a random step and resumed")
@pytest.mark.parametrize("step", trials(STEPS))
def test_after_any_step(tmp_path: Path, uninterrupted: RunResult, step: int):  # noqa: F811
    interrupted_at(tmp_path, step)
    assert_the_same(resumed(tmp_path), uninterrupted)
