"""Only one process at a time uses a run's folder; the others report which one."""

import re
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import TRAIN, Place, read_until


@pytest.mark.slow
@pytest.mark.faults("20 processes in one folder")
def test_one_of_twenty_processes_resumes(
    place: Place, record_property: Callable[[str, object], None]
):
    record_property("trials", 20)
    run = place.started(*TRAIN, "--run-dir", "shared")
    read_until(run, "training loss")
    run.kill()
    run.communicate()  # its lock belonged to a process that has ended
    words = ("train", "--resume", "shared", "--steps", "10000000")
    runs = [place.started(*words) for _ in range(20)]
    deadline = time.monotonic() + 120
    while sum(run.poll() is None for run in runs) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (owner,) = (run for run in runs if run.poll() is None)
    rejected = [run for run in runs if run is not owner]
    errors = [run.communicate()[1] for run in rejected]
    owner.send_signal(signal.SIGTERM)
    owner.communicate(timeout=40)
    assert owner.returncode == 143
    assert {run.returncode for run in rejected} == {2}
    message = re.compile(rf"ffnn-jax: shared is in use by process {owner.pid} on \S+\n")
    assert all(message.fullmatch(error) for error in errors), errors
