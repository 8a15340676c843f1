"""A run of two seeds that is ended after any step goes on to the same bits."""

import random
from pathlib import Path

import pytest

from ffnn_jax.runs import RunResult
from tests.faults.conftest import trials
from tests.runs.test_checkpoints import (
    SETTINGS,
    assert_the_same,
    ended_at,
    resumed,
    straight,  # noqa: F401  (a fixture)
)

STEPS = random.Random(0).sample(range(1, SETTINGS.steps), 10)


@pytest.mark.faults("ended at a random step and resumed")
@pytest.mark.parametrize("step", trials(STEPS))
def test_after_any_step(tmp_path: Path, straight: RunResult, step: int):  # noqa: F811
    ended_at(tmp_path, step)
    assert_the_same(resumed(tmp_path), straight)
