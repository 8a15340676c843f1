"""What a confined process may still do, by its audit hook, and by the kernel alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, json, mmap, os, pathlib, shutil, socket, subprocess, sys, threading
from ffnn_jax.course._confinement import confine

outside, by_kernel = pathlib.Path(sys.argv[1]), sys.argv[2] == "kernel"
libc = ctypes.CDLL(None)
if by_kernel:
    sys.addaudithook = lambda hook: None
refused = []
in_force = confine(pathlib.Path("."), refused)
attempts = {
    "write here": lambda: pathlib.Path("new").write_text("x"),
    "write to nowhere": lambda: open(os.devnull, "w").write("x"),
    "read outside": lambda: (outside / "kept").read_text(),
    "start a thread": lambda: threading.Thread(target=int).start(),
    "write outside": lambda: open(outside / "new", "w"),
    "append outside": lambda: open(outside / "kept", "a"),
    "write through a link": lambda: (os.symlink(outside, "link"), open("link/new", "w")),
    "write upwards": lambda: open(f"../{outside.name}/new", "w"),
    "make a folder": lambda: os.mkdir(outside / "folder"),
    "remove": lambda: os.remove(outside / "kept"),
    "remove a tree": lambda: shutil.rmtree(outside),
    "move out": lambda: (open("moved", "w"), os.rename("moved", outside / "new")),
    "move in": lambda: os.rename(outside / "kept", "stolen"),
    "truncate": lambda: os.truncate(outside / "kept", 0),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "run a program": lambda: subprocess.run(["true"]),
    "run a shell": lambda: os.system("true") and 1 / 0,
    "fork": lambda: os.fork() or os._exit(0),
    "signal": lambda: os.kill(os.getppid(), 0),
    "slow the grader": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "idle the grader": lambda: os.sched_setscheduler(
        os.getppid(), os.SCHED_IDLE, os.sched_param(0)
    ),
    "take 64 GB": lambda: mmap.mmap(-1, 1 << 36),
    "take 64 GB alone": lambda: bytearray(1 << 36),
    "write 1 GB": lambda: [open("large", "ab").write(bytes(1 << 20)) for _ in range(1 << 10)],
    "open files": lambda: [open(os.devnull) for _ in range(1000)],
    "use C": lambda: libc.getpid() and ctypes.CDLL(None),
    "find objects": lambda: __import__("gc").get_objects(),
    "change many files": lambda: [pathlib.Path("new").write_text("x") for _ in range(1000)],
}
outcome = {}
for name, attempt in attempts.items():
    try:
        attempt()
        outcome[name] = ""
    except Exception as error:
        outcome[name] = type(error).__name__
os.write(1, json.dumps([in_force, outcome, refused]).encode())
"""
ALLOWED = {"write here", "write to nowhere", "read outside", "start a thread"}
BY_THE_HOOK_ALONE = {"use C", "find objects", "change many files"}


def outcomes(tmp_path: Path, by: str) -> tuple[list[str], dict[str, str], list[str]]:
    (tmp_path / "home").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "outside"), by],
        cwd=tmp_path / "home", capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert [f.name for f in (tmp_path / "outside").iterdir()] == ["kept"]
    assert (tmp_path / "outside" / "kept").read_text() == "kept"
    return json.loads(child.stdout)


def test_nothing_outside_is_changed_started_or_reached(tmp_path: Path):
    _, outcome, refused = outcomes(tmp_path, "all")
    assert {name for name, error in outcome.items() if not error} == ALLOWED
    assert refused[0].startswith("open ") and refused[0].endswith("new")
    assert len(refused) <= 6


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp")
def test_the_kernel_refuses_the_same_without_the_hook(tmp_path: Path):
    in_force, outcome, refused = outcomes(tmp_path, "kernel")
    if not {"Landlock", "seccomp"} <= set(in_force):
        pytest.skip("this kernel offers less")
    assert {name for name, error in outcome.items() if not error} == ALLOWED | BY_THE_HOOK_ALONE
    assert not refused
