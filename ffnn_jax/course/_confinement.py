"""What a process gives up before it runs a student's code, and cannot take back.

The kernel limits resources (setrlimit) and, on Linux, without any privilege, refuses changes of
files outside of one folder (Landlock), network, other processes and signals (seccomp). An audit
hook says in a line what was refused, and stands in where the kernel offers less. It is no wall:
code that sets out to, such as a C extension, passes it by.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ffnn_jax._processor import usable_cores

_LIMITS = {
    # bytes of address space: jax takes 1.8 GB on two cores, and more on more
    resource.RLIMIT_AS: (4 << 30) + usable_cores() * (1 << 28),
    resource.RLIMIT_CPU: 600, resource.RLIMIT_FSIZE: 4 << 20, resource.RLIMIT_NOFILE: 256,
}  # fmt: skip
_CHANGES = 200
_CHANGED_PATHS = {
    "os.chmod": 1, "os.chown": 1, "os.link": 2, "os.mkdir": 1, "os.remove": 1, "os.rename": 2,
    "os.rmdir": 1, "os.setxattr": 1, "os.symlink": 2, "os.truncate": 1, "os.utime": 1,
}  # fmt: skip
_REFUSED = (
    "ctypes.", "gc.get_", "os.exec", "os.fork", "os.kill", "os.posix_spawn", "os.spawn",
    "os.system", "pty.", "resource.", "signal.pthread_kill", "socket.", "subprocess.",
    "sys._current_",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# By machine: its code, the calls seccomp and clone, and the refused: socket, socketpair, execve,
# execveat, kill, tkill, ptrace, process_vm_writev, pidfd_send_signal, io_uring_setup, setpriority,
# sched_setparam, sched_setscheduler, sched_setattr, fork, vfork.
_CALLS = {
    "x86_64": (
        0xC000003E,
        317,
        56,
        (41, 53, 59, 322, 62, 200, 101, 311, 424, 425, 141, 142, 144, 314, 57, 58),
    ),
    "aarch64": (
        0xC00000B7,
        277,
        220,
        (198, 199, 221, 281, 129, 130, 117, 271, 424, 425, 140, 118, 119, 274),
    ),
}


def confine(folder: Path, refused: list[str]) -> list[str]:
    """Confines this process; returns the names of what is in force.

    Args:
        folder: where alone files may be changed.
        refused: receives what the audit hook refuses.
    """
    for kind, limit in _LIMITS.items():
        with contextlib.suppress(ValueError, OSError):  # macOS does not limit the address space
            resource.setrlimit(kind, (limit, limit))
    in_force = ["setrlimit"]
    for name, restrict in (("Landlock", _restrict_files), ("seccomp", _restrict_calls)):
        with contextlib.suppress(OSError, AttributeError, KeyError):  # not offered here
            _call("prctl", 1, signal.SIGKILL.value, 0, 0, 0)  # PR_SET_PDEATHSIG: ends with parent
            _call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
            restrict(folder)
            in_force.append(name)
    sys.addaudithook(_audit_hook(f"{folder.resolve()}{os.sep}", refused))
    return [*in_force, "audit hook"]


def _call(function: str, *args: Any) -> int:
    """Calls a function of the C library; raises OSError if it fails."""
    c_function = getattr(ctypes.CDLL(None, use_errno=True), function)
    value = c_function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
    if value < 0:
        raise OSError(ctypes.get_errno(), function)
    return value


def _restrict_files(folder: Path) -> None:
    """Landlock: no file is executed, and none changed but in the folder; TCP and signals end."""
    version = _call("syscall", 444, None, 0, 1)
    execute, write, in_folder = 1 << 0, 1 << 1, 0b1111111110000  # to remove and make all kinds
    handled = execute | write | in_folder | (version >= 2) << 13 | (version >= 3) << 14
    rules = struct.pack("QQQ", handled, 0b11 * (version >= 4), 0b11 * (version >= 6))
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _call("syscall", 444, rules, size, 0)
    for path, rights in (folder, handled & ~execute), (os.devnull, write):
        descriptor = os.open(path, os.O_PATH)
        _call("syscall", 445, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
        os.close(descriptor)
    _call("syscall", 446, ruleset, 0)
    os.close(ruleset)


def _restrict_calls(_: Path) -> None:
    """Seccomp: of the calls that start something, threads alone are left."""
    machine, seccomp, clone, refused = _CALLS[platform.machine()]
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, no_permission, no_such_call = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
    program = [(load, 0, 0, 4), (equal, 1, 0, machine), (answer, 0, 0, kill), (load, 0, 0, 0)]
    program += [(at_least, 0, 1, 1 << 30), (answer, 0, 0, no_permission)]  # other numberings
    for number in refused:
        program += [(equal, 0, 1, number), (answer, 0, 0, no_permission)]
    program += [(equal, 0, 1, 435), (answer, 0, 0, no_such_call)]  # clone3: clone stands in
    program += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 1, 0, 1 << 16)]  # a thread?
    program += [(answer, 0, 0, no_permission), (answer, 0, 0, allow)]
    lines = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    _call("syscall", seccomp, 1, 1, struct.pack("HxxxxxxP", len(program), ctypes.addressof(lines)))


def _audit_hook(inside: str, refused: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that raises PermissionError; it holds what it calls, so that none can be replaced."""
    paths_of, prefixes, writing, left = dict(_CHANGED_PATHS), _REFUSED, _WRITING, [_CHANGES]
    is_a, whole, real, decode = isinstance, int, os.path.realpath, os.fsdecode
    devnull, separator, error = os.devnull, os.sep, PermissionError

    def hook(event: str, args: tuple[Any, ...]) -> None:
        wrong = event if event.startswith(prefixes) else ""
        opens = event == "open" and not is_a(args[0], whole) and args[2] & writing
        for path in args[: 1 if opens else paths_of.get(event, 0)]:
            name = "a descriptor" if is_a(path, whole) else decode(path)
            left[0] -= name != devnull
            if left[0] < 0 or not (
                name == devnull or f"{real(name)}{separator}".startswith(inside)
            ):
                wrong = f"{event} {name}"
        if wrong:
            refused[4:] = [wrong]  # the first few, and the latest
            raise error(f"refused while grading: {wrong}")

    return hook
