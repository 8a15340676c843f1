"""A worker ends when the process that started it is killed."""

import subprocess
import sys
import time

import psutil

PARENT = """
import multiprocessing, time
from ffnn_jax._workers import start_worker

def work():
    start_worker()
    time.sleep(60)

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start()
    print(child.pid, flush=True)
    child.join()
"""


def test_a_worker_ends_with_its_parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        time.sleep(3)  # it has started
        assert worker.is_running()
        parent.kill()
    assert not psutil.wait_procs([worker], timeout=20)[1]
