"""Work that other users of the hardware disturb is repeated."""

import os

import numpy as np
import pytest

from experiments import _noisy_neighbours
from experiments._noisy_neighbours import NoisyNeighbours
from tests.systems import linux


@pytest.fixture
def neighbours(monkeypatch: pytest.MonkeyPatch) -> NoisyNeighbours:
    """A detector whose round-trip times the test sets."""
    monkeypatch.setattr(_noisy_neighbours, "_CALIBRATION_SECONDS", 0.0)
    detector = NoisyNeighbours()
    detector._echo.communicate()
    return detector


def set_round_trips(neighbours: NoisyNeighbours, *round_trips: float) -> None:
    remaining = iter(round_trips)
    neighbours._round_trip = lambda: next(remaining)


@linux
def test_round_trips_between_two_cores_are_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_noisy_neighbours, "_CALIBRATION_SECONDS", 0.1)
    before = os.sched_getaffinity(0)
    with NoisyNeighbours() as neighbours:
        assert 1e-7 < np.median(neighbours._measurements) < 1e-2
        assert os.sched_getaffinity(0) == before
    assert neighbours._echo.returncode == 0


def test_quiet_is_judged_against_the_fastest_fifth(neighbours: NoisyNeighbours):
    set_round_trips(neighbours, 1.0, 2.0, 1.1, 1.5, 1.05)
    assert [neighbours.are_quiet() for _ in range(5)] == [True, False, True, False, True]


def test_disturbed_work_is_repeated(neighbours: NoisyNeighbours, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_noisy_neighbours.time, "sleep", lambda seconds: None)
    set_round_trips(neighbours, 1.0, 3.0, 3.0, 1.0, 1.0)  # quiet, then not; not; quiet twice
    done = iter("ab")
    assert neighbours.undisturbed(lambda: next(done)) == "b"
    assert neighbours.disturbed == 0


def test_waiting_for_quiet_times_out(neighbours: NoisyNeighbours, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_noisy_neighbours, "_PATIENCE_SECONDS", 0.0)
    assert neighbours.undisturbed(lambda: "done") == "done"
    assert neighbours.disturbed == 1
