"""What is timed while others take the hardware's speed is timed again."""

import os

import numpy as np
import pytest

from experiments import _tenants
from experiments._tenants import Tenants


@pytest.fixture
def tenants(monkeypatch: pytest.MonkeyPatch) -> Tenants:
    """Round trips are given by the test."""
    monkeypatch.setattr(_tenants, "_CALIBRATION_SECONDS", 0.0)
    made = Tenants()
    made._echo.communicate()
    return made


def looks(tenants: Tenants, *round_trips: float) -> None:
    left = iter(round_trips)
    tenants._round_trip = lambda: next(left)


def test_a_word_goes_there_and_back_between_two_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_tenants, "_CALIBRATION_SECONDS", 0.1)
    before = os.sched_getaffinity(0)
    with Tenants() as tenants:
        assert 1e-7 < np.median(tenants._seen) < 1e-2
        assert os.sched_getaffinity(0) == before
    assert tenants._echo.returncode == 0


def test_the_fastest_fifth_of_all_looks_is_the_usual(tenants: Tenants):
    looks(tenants, 1.0, 2.0, 1.1, 1.5, 1.05)
    assert [tenants.are_quiet() for _ in range(5)] == [True, False, True, False, True]


def test_disturbed_work_is_done_again(tenants: Tenants, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_tenants.time, "sleep", lambda seconds: None)
    looks(tenants, 1.0, 3.0, 3.0, 1.0, 1.0)  # quiet, then not; not; quiet twice
    done = iter("ab")
    assert tenants.undisturbed(lambda: next(done)) == "b"
    assert tenants.disturbed == 0


def test_patience_ends(tenants: Tenants, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_tenants, "_PATIENCE_SECONDS", 0.0)
    assert tenants.undisturbed(lambda: "done") == "done"
    assert tenants.disturbed == 1
