"""A run killed anywhere resumes to the same bits as an uninterrupted run."""

import random
import time

import pytest

from tests.faults.conftest import TRAIN, Place, read_until, trials
from tests.faults.injected import KILL

PHASES = [
    (phase, number)
    for phase, numbers in {
        "killed with nothing written": (2, 3, 8, 16),
        "killed half way": (2, 3, 8, 16),
        "killed before the file has its name": (2, 3, 8, 16),
        "killed while the best is copied": (1, 2, 3, 4),
        "killed before an old one is removed": (1, 4, 9, 16),
    }.items()
    for number in numbers
]


@pytest.mark.faults("kill -9 at a random moment")
@pytest.mark.parametrize("trial", trials(range(50), 0))
def test_at_any_moment(place: Place, trial: int):
    name, seconds = f"killed-{trial}", place.seconds
    run = place.started(*TRAIN, "--run-dir", name)
    read_until(run, "compiling the training step")
    time.sleep(random.Random(trial).uniform(0, seconds))
    run.kill()
    run.communicate()
    place.assert_resumes_to_the_same_bits(name)


@pytest.mark.faults("kill -9 in a phase of saving")
@pytest.mark.parametrize(("phase", "number"), trials(PHASES, 0))
def test_while_saving(place: Place, phase: str, number: int):
    name = f"{phase} {number}"
    code, *_ = place.finished(*TRAIN, "--run-dir", name, injected=(phase, str(number)))
    assert abs(code) == KILL
    place.assert_resumes_to_the_same_bits(name)
