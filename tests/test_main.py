"""What the command imports, the longest part of its start, and an interrupt meanwhile."""

import subprocess
import sys

import ffnn_jax

INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "tyro":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from ffnn_jax.__main__ import main
main()
"""
RESTORED = """
import signal, sys
from ffnn_jax.__main__ import main
sys.argv = ["ffnn-jax", "--version"]
main()
print(signal.getsignal(signal.SIGINT) == signal.default_int_handler)
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a process in the background of a script
main()
print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
"""
IMPORTED = """
import sys
before = {*sys.modules}
import ffnn_jax
print(*{*sys.modules} - before)
"""

UNUSED = """
import sys
import ffnn_jax.cli._predict_run, ffnn_jax.cli._train_run
print(*sorted({"jax.extend", "jinja2", "matplotlib", "scipy.ndimage"} & {*sys.modules}))
"""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_an_interrupt_during_imports_ends_the_command_in_one_line():
    ended = ran(INTERRUPTED)
    assert (ended.stdout, ended.stderr) == ("", "ffnn-jax: ended by SIGINT\n")
    assert ended.returncode == 130


def test_afterwards_an_interrupt_is_handled_as_before():
    version = f"ffnn-jax {ffnn_jax.__version__}"
    assert ran(RESTORED).stdout.splitlines() == [version, "True", version, "True"]


def test_the_package_imports_nothing_before_the_command_can_handle_an_interrupt():
    assert ran(IMPORTED).stdout == "ffnn_jax\n"


def test_training_and_predicting_begin_without_what_only_draws_or_finds_digits():
    assert ran(UNUSED).stdout == "\n"
