"""Signals before anything heavy is imported; tests/faults covers those during a run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys
from ffnn_jax._signals import exit_on_signals
before = signal.getsignal(signal.SIGTERM)
with exit_on_signals():
    pass
print(signal.getsignal(signal.SIGTERM) == before, "jax" in sys.modules, flush=True)
with exit_on_signals():
    os.kill(os.getpid(), {number})
print("continued", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_before_there_is_anything_to_save_a_signal_ends_the_process(name: str):
    number = signal.Signals[name]
    program = PROGRAM.format(number=int(number))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "True False\n"
    assert ran.stderr == f"ffnn-jax: ended by {name}\n"
    assert ran.returncode == 128 + number


SUBSET = """
import enum, signal
from ffnn_jax._signals import exit_on_signals
signal.Signals = enum.IntEnum("Signals", {names})
with exit_on_signals():
    print(*(n.name for n in {all} if callable(signal.getsignal(n)) and
            signal.getsignal(n) is not signal.default_int_handler))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="names the signals of POSIX")
def test_a_system_without_sighup_has_the_others_handled():
    names = {"SIGTERM": int(signal.SIGTERM), "SIGINT": int(signal.SIGINT)}
    every = "(signal.Signals.SIGINT, signal.Signals.SIGTERM)"
    program = SUBSET.format(names=names, all=every)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("SIGINT SIGTERM\n", "")


IGNORED = """
import os, signal
from ffnn_jax._signals import exit_on_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with exit_on_signals():
    os.kill(os.getpid(), signal.SIGHUP)
print("continued")
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_nohup_is_respected():
    ran = subprocess.run([sys.executable, "-c", IGNORED], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("continued\n", "")


CLOSED = """
import os, pty, sys
program = [sys.executable, "-c", sys.argv[1]]
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.executable, program)
while b"ready" not in os.read(terminal, 4096):
    pass
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
TRAINS = """
import os, time
from pathlib import Path
from ffnn_jax._signals import run_with_signals
from ffnn_jax._errors import RunInterruptedError, StopRequest
stop = StopRequest()
def train(state):
    state.makes_steps = True
    os.write(1, b"ready")
    while stop.signal is None:
        time.sleep(0.01)
    time.sleep(0.3)  # for longer than a duplicate of the signal may take
    print("saved", flush=True)  # fails if it goes to a terminal that is closed
    Path("saved").touch()
    raise RunInterruptedError(stop.signal, "saved")
try:
    run_with_signals(stop, train)
except RunInterruptedError as end:
    print(end, flush=True)
    raise SystemExit(128 + end.signal)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_a_run_whose_terminal_is_closed_saves(tmp_path: Path):
    command = [sys.executable, "-c", CLOSED, TRAINS]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("129\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
