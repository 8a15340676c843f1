"""SIGTERM, SIGINT and SIGHUP save the run and end it within 30 seconds, in any phase."""

import signal
import subprocess
import time

import pytest

from tests.faults.conftest import TRAIN, Place, read_until, trials

SLOW_SAVE = ("paused", "4")
# What a run prints as each phase starts, and a fault that prolongs the phase.
PHASES = {
    "compiling": ("compiling the training step", ()),
    "training": ("training loss", ()),
    "saving": ("saving slowly", SLOW_SAVE),
    "classifying": ("classifying all images", ()),
}
SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
]


def ended(run: subprocess.Popen[str], number: int) -> str:
    """Sends a run a signal, and returns its standard error once it has ended."""
    began = time.monotonic()
    run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert run.returncode == 128 + number
    return errors


def started(place: Place, name: str, phase: str) -> subprocess.Popen[str]:
    """A run in this phase."""
    words, injected = PHASES[phase]
    run = place.started(*TRAIN, "--no-cache", "--run-dir", name, injected=injected)
    read_until(run, words)
    return run


@pytest.mark.faults("SIGTERM or SIGINT in a phase of the run")
@pytest.mark.parametrize(
    ("phase", "number", "trial"),
    trials([(phase, number, n) for n in range(3) for phase in PHASES for number in SIGNALS], 0),
)
def test_a_signal_saves_the_run_and_it_resumes(place: Place, phase: str, number: int, trial: int):
    name = f"{phase}-{number}-{trial}"
    errors = ended(started(place, name, phase), number)
    saved = "saved at step " if phase in ("training", "saving") else "ended by SIG"
    assert errors.startswith(f"ffnn-jax: {saved}")
    assert errors.endswith(f"; resume with: ffnn-jax train --resume {name}\n")
    place.assert_resumes_to_the_same_bits(name)


@pytest.mark.faults("SIGTERM or SIGINT in a phase of the run")
@pytest.mark.parametrize("number", trials(SIGNALS, 0))
def test_a_signal_received_twice_counts_once(place: Place, number: int):
    """``timeout`` sends it both to the process and to its group."""
    run = started(place, f"doubled-{number}", "training")
    run.send_signal(number)
    assert "saved at step " in ended(run, number)


@pytest.mark.faults("SIGTERM or SIGINT in a phase of the run")
@pytest.mark.parametrize(
    ("number", "delay"),
    trials([(number, 0.3 + 0.1 * n) for n in range(8) for number in SIGNALS]),
)
def test_while_jax_is_imported(place: Place, number: int, delay: float):
    name = f"early-{number}-{delay}"
    run = place.started(*TRAIN, "--run-dir", name)
    time.sleep(delay)
    run.send_signal(number)
    run.communicate(timeout=60)
    assert abs(run.returncode) in (number, 128 + number)


@pytest.mark.faults("a second signal while the first saves")
@pytest.mark.parametrize("number", trials(SIGNALS, 0))
def test_a_second_signal_ends_at_once(place: Place, number: int):
    run = started(place, f"twice-{number}", "saving")
    run.send_signal(number)
    time.sleep(0.8)
    assert ended(run, number) == ""
    place.assert_resumes_to_the_same_bits(f"twice-{number}")
