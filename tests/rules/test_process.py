import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ffnn_jax.rules import check_in_a_process
from tests.rules.conftest import OPTIONS
from tests.systems import linux


def test_a_rule_that_hangs_crashes_or_raises_fails_and_the_next_is_checked(folder: Path):
    request = OPTIONS | {"op": "hangs.py", "timeout": 6.0}
    found = dict(check_in_a_process(request))
    assert [event["text"].splitlines()[0] for event in found.values()] == [
        "hangs: FAILS, its process was stopped after 6 s",
        "crashes: FAILS, its process ended with exit code 5",
        "leaves: FAILS, SystemExit: enough",
        "the :two:: all checks hold",
    ]
    assert [event["result"]["passed"] for event in found.values()] == [False, False, False, True]
    assert not is_running(int((folder / "process").read_text()))


@linux
@pytest.mark.parametrize(("name", "code"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_the_process_that_checks_ends_with_its_parent(folder: Path, name: str, code: int):
    command = [sys.executable, "-m", "ffnn_jax", "verify", "hangs.py"]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    file = folder / "process"
    wait_until(lambda: file.exists() and file.read_text() != "")
    parent.send_signal(signal.Signals[name])
    _, errors = parent.communicate(timeout=20)
    assert parent.returncode == code
    assert errors == "{\n" + ("ffnn-jax: interrupted\n" if code == 130 else "")
    wait_until(lambda: not is_running(int(file.read_text())))


def wait_until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        return state != "Z"
    return False
