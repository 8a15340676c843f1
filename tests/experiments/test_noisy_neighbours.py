"""What is timed while others take the hardware's speed is timed again."""

import os

import numpy as np
import pytest

from experiments import _noisy_neighbours
from experiments._noisy_neighbours import NoisyNeighbours


@pytest.fixture
def neighbours(monkeypatch: pytest.MonkeyPatch) -> NoisyNeighbours:
    """Round trips are given by the test."""
    monkeypatch.setattr(_noisy_neighbours, "_CALIBRATION_SECONDS", 0.0)
    made = NoisyNeighbours()
    made._echo.communicate()
    return made


def looks(neighbours: NoisyNeighbours, *round_trips: float) -> None:
    left = iter(round_trips)
    neighbours._round_trip = lambda: next(left)


def test_a_word_goes_there_and_back_between_two_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_noisy_neighbours, "_CALIBRATION_SECONDS", 0.1)
    before = os.sched_getaffinity(0)
    with NoisyNeighbours() as neighbours:
        assert 1e-7 < np.median(neighbours._seen) < 1e-2
        assert os.sched_getaffinity(0) == before
    assert neighbours._echo.returncode == 0


def test_the_fastest_fifth_of_all_looks_is_the_usual(neighbours: NoisyNeighbours):
    looks(neighbours, 1.0, 2.0, 1.1, 1.5, 1.05)
    assert [neighbours.are_quiet() for _ in range(5)] == [True, False, True, False, True]


def test_disturbed_work_is_done_again(neighbours: NoisyNeighbours, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_noisy_neighbours.time, "sleep", lambda seconds: None)
    looks(neighbours, 1.0, 3.0, 3.0, 1.0, 1.0)  # quiet, then not; not; quiet twice
    done = iter("ab")
    assert neighbours.undisturbed(lambda: next(done)) == "b"
    assert neighbours.disturbed == 0


def test_patience_ends(neighbours: NoisyNeighbours, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_noisy_neighbours, "_PATIENCE_SECONDS", 0.0)
    assert neighbours.undisturbed(lambda: "done") == "done"
    assert neighbours.disturbed == 1
