"""Signals before anything heavy is imported; tests/faults covers those during a run."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from ffnn_jax.cli._signals import exit_on_signals
before = signal.getsignal(signal.SIGTERM)
with exit_on_signals():
    pass
print(signal.getsignal(signal.SIGTERM) == before, "jax" in sys.modules, flush=True)
with exit_on_signals():
    os.kill(os.getpid(), {number})
print("continued", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_before_there_is_anything_to_save_a_signal_ends_the_process(number: signal.Signals):
    program = PROGRAM.format(number=int(number))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "True False\n"
    assert ran.stderr == f"ffnn-jax: ended by {number.name}\n"
    assert ran.returncode == 128 + number
