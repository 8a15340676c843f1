"""However a watched process ends, the one that watches it says so in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from ffnn_jax import _watch
from ffnn_jax._errors import PeerLostError, RunInterruptedError
from tests.systems import posix

pytestmark = posix
PYTHON = sys.executable
NOTES = r'printf "\nffnn-jax who: process 1\n\nffnn-jax hint: ; resume so\n" >> $3; '
ABORTS = (
    "printf 'F1 client.h:80] Terminating process because the JAX distributed service detected "
    "fatal errors. absl::Status: UNAVAILABLE: the leader went. Check logs\n***' >> $3; "
    "kill -ABRT $$"
)
LOST = r'printf "\nffnn-jax lost: process 1: it went\n" >> $3; '
ENDS = {
    "exit 4 with a word": (LOST + "exit 4", PeerLostError, "process 1: it went"),
    "aborted after a word": (NOTES + LOST + ABORTS, PeerLostError, "process 1: it went"),
    "aborted by jax": (
        NOTES + ABORTS, PeerLostError,
        "process 1: a peer was lost (UNAVAILABLE: the leader went); resume so "
        "(jax's messages: LOG)",
    ),
    "a peer hangs": (
        r'printf "absl::Status: UNAVAILABLE: bad (stopped sending heartbeats):\n3\nThe" >> $3; '
        + ABORTS, PeerLostError,
        "this process: a peer was lost (process 3 sends no heartbeats) (jax's messages: LOG)",
    ),
    "aborted before it was known": (
        ABORTS, PeerLostError,
        "this process: a peer was lost (UNAVAILABLE: the leader went) (jax's messages: LOG)",
    ),
    "aborted by a broken collective": (
        NOTES + r'printf "terminate called after throwing gloo::EnforceNotMet\n" >> $3; '
        "kill -ABRT $$", PeerLostError,
        "process 1: a peer was lost; resume so (jax's messages: LOG)",
    ),
    "aborted otherwise": (
        NOTES + "kill -ABRT $$", ChildProcessError,
        "process 1 was ended by SIGABRT; resume so (LOG)",
    ),
    "killed": (
        "kill -KILL $$", ChildProcessError,
        "this process was ended by SIGKILL, as when memory runs out (LOG)",
    ),
    "another code": ("exit 77", ChildProcessError, "this process was ended by exit code 77 (LOG)"),
    "terminated": (NOTES + "kill -TERM $$", RunInterruptedError, "ended by SIGTERM; resume so"),
}  # fmt: skip


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a shell script of what is started, whose third argument is the log."""

    def replace(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    return replace


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_explained(name: str, scripted, tmp_path: Path):
    script, kind, message = ENDS[name]
    scripted(script)
    with pytest.raises(kind) as caught:
        _watch.watch(["train"])
    log, *_ = *tmp_path.glob("ffnn-jax-*.log"), None
    assert (log is None) == ("a word" in name)
    assert str(caught.value) == message.replace("LOG", str(log))


@pytest.mark.parametrize("code", [0, 1, 2, 3, 129, 130, 141, 143])
def test_our_own_codes_are_passed_on(code: int, scripted, tmp_path: Path):
    scripted(f'test "$1 $2 $4 $5" = "-m ffnn_jax._watched train x" && exit {code}; exit 99')
    assert _watch.watch(["train", "x"]) == code
    assert not list(tmp_path.glob("*.log"))


FORWARDS = """
import os, sys
from ffnn_jax import _watch
sys.executable = {path!r}
print(_watch.watch([]))
"""


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("INT", 130), ("HUP", 129)])
def test_signals_are_forwarded(name: str, code: int, scripted):
    scripted(
        f"trap 'exit {code}' {name}\nkill -{name} $PPID\nfor k in $(seq 99); do sleep 0.1; done"
    )
    program = FORWARDS.format(path=sys.executable)
    ran = subprocess.run(
        [PYTHON, "-c", program],
        capture_output=True, text=True, timeout=30, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == (f"{code}\n", "")


REDIRECTED = """
import os, sys
from ffnn_jax import _signals, _watch
_watch.redirect()  # nothing, unless watched
_watch.log = {log!r}
open(_watch.log, "w").close()
_watch.redirect()
for number in (1, 2):
    os.write(number, b"noise of the runtime, ")
print("our output")
print("our error", file=sys.stderr)
_watch.note("who", "process 1")
_signals.print_nowhere(1)
print("not read")
_watch.end_lost("it went")
"""


def test_what_is_not_pythons_goes_to_the_log(tmp_path: Path):
    log = tmp_path / "log"
    program = REDIRECTED.format(log=str(log))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("our output\n", "our error\n", 4)
    text = log.read_text()
    assert text.startswith("noise of the runtime, noise of the runtime, \n")
    assert "\nffnn-jax who: process 1\n" in text
    assert text.endswith("\nffnn-jax lost: it went\n")
