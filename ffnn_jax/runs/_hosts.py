"""A run of several processes, as a rule on several hosts: they agree, and the first one writes.

Each process computes the same steps. Before the first one they compare what their results depend
on; at every stop they agree on the next, and on whether to end there because one was asked to.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil
from jax.experimental import multihost_utils

from ffnn_jax import _watch
from ffnn_jax._address import Address
from ffnn_jax._signals import print_nowhere
from ffnn_jax.config import DivergedError, RunInterruptedError, UserError
from ffnn_jax.runs._environment import require_ready
from ffnn_jax.runs._folder import locked

_GRACE_SECONDS = 60  # after which jax's own patience ends
_LOST = re.compile("gloo|nccl|coordination|heartbeat|connection|unavailable", re.IGNORECASE)
_SOURCE = re.compile(r"\[\S+\.cc:\d+\] ")  # of a message of gloo's
_BYTES, _MOST_WORDS = 8192, 600


def among_hosts(
    state: Any, address: Address | None, function: Callable[..., None], *args: Any
) -> None:
    """Calls ``function(state, *args)`` as one of a run's processes, which start and end together.

    Where another one ends before, this process ends, too.

    Raises:
        UserError: jax finds no cluster, or no device, or cannot compile here.
    """
    if address is not None:
        _join(address)
    require_ready()
    try:
        function(state, *args)
        jax.distributed.shutdown()
    except (RunInterruptedError, DivergedError):  # in every process
        jax.distributed.shutdown()
        raise
    except (ValueError, RuntimeError) as error:
        if isinstance(error, UserError) or jax.process_count() == 1 or not _LOST.search(str(error)):
            raise
        reason = _SOURCE.sub("", str(error).partition("\n")[0])
        _watch.end_lost(f"{_who()}: a peer was lost ({reason}){state.hint}")


def writes() -> bool:
    """Whether this process writes the run's folder: the first one does."""
    return jax.process_index() == 0


def gather(value: Any) -> list[Any]:
    """The value, of JSON types, of each process in order."""
    if jax.process_count() == 1:
        return [value]
    line = np.frombuffer(json.dumps(value).encode().ljust(_BYTES), np.uint8)
    return [json.loads(row.tobytes()) for row in multihost_utils.process_allgather(line)]


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What every process does within; a UserError of one of them is raised in all."""
    failure = None
    try:
        yield
    except UserError as error:
        failure = error
    failures = gather(failure and str(failure)[:_MOST_WORDS])
    others = (f"process {k}: {text}" for k, text in enumerate(failures) if text)
    if any(failures):
        jax.distributed.shutdown()
        raise failure or UserError(next(others))


def of_first(function: Callable[..., Path], *args: Any) -> Path:
    """Calls the function in the first process alone; returns its path in all."""
    with together():
        path = str(function(*args)) if writes() else ""
    return Path(gather(path)[0])


@contextlib.contextmanager
def locked_by_first(folder: Path) -> Iterator[None]:
    """Locks a run's folder, as ``locked`` does, in the process that writes it."""
    with contextlib.ExitStack() as stack:
        with together():
            if writes():
                stack.enter_context(locked(folder))
        yield


def require_same(facts: Mapping[str, Any]) -> None:
    """Ends all processes with a UserError that names the facts in which they differ."""
    first, *others = gather({name: _short(value) for name, value in facts.items()})
    differing = [
        f"{name} is {first.get(name)} in process 0, {other.get(name)} in process {number}"
        for number, other in enumerate(others, start=1)
        for name in {**first, **other}
        if first.get(name) != other.get(name)
    ]
    if differing:
        jax.distributed.shutdown()
        raise UserError(f"the processes of a run must be alike: {'; '.join(differing[:3])}")


def _short(value: Any) -> str:
    """A value in few characters: a long one by its SHA-256."""
    text = value if isinstance(value, str) else json.dumps(value)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return text if len(text) < 40 else f"sha256 {digest}"


def _who() -> str:
    return f"process {jax.process_index()}"


def _join(address: Address) -> None:
    """Waits for the other processes; from then on only the first one prints."""
    _watch.redirect()
    jax.config.update("jax_enable_preemption_service", False)  # would take SIGTERM, which is ours
    timer = threading.Timer(address.seconds, _give_up, [address.seconds])
    timer.daemon = True
    timer.start()
    if address.coordinator:
        _require_known(address.coordinator.rpartition(":")[0].strip("[]"))
    if address.coordinator and address.index == 0:
        _require_free(int(address.coordinator.rpartition(":")[2]))
        where = f"{address.count or 'all'} processes at {address.coordinator}"
        print(f"waiting for {where} (up to {address.seconds} s) ...", file=sys.stderr)
    try:
        jax.distributed.initialize(
            address.coordinator, address.count, address.index,
            initialization_timeout=address.seconds + _GRACE_SECONDS,
        )  # fmt: skip
    except (ValueError, RuntimeError, OSError) as error:
        first = str(error).partition("\n")[0].rstrip(".")
        known = "JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID"
        what = f"distributed {address.text}: {first}; give HOST:PORT,COUNT,INDEX or set {known}"
        raise UserError(what) from None
    timer.cancel()
    _watch.note("who", _who())
    if not writes():
        print_nowhere(1)
        logging.getLogger("ffnn_jax").setLevel(logging.ERROR)


def _require_known(host: str) -> None:
    """Rejects a name that the network does not know: jax would wait for it."""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        raise UserError(f"distributed: HOST {host!r} is not known here: {error.strerror}") from None


def _require_free(port: int) -> None:
    """Rejects a port that another program has: jax's runtime would share it, or crash."""
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UserError(f"distributed: PORT {port} cannot be used: {reason}") from None


def _give_up(seconds: int) -> None:
    """Ends this process with a line that says who did not come."""
    from jax._src.distributed import global_state  # jax.process_index() waits for the others, too

    where, index = global_state.coordinator_address or ":0", global_state.process_id
    came = _connections(int(where.rpartition(":")[2]), of_first=index == 0)
    if index == 0:
        what = f"{came} of {global_state.num_processes} processes came to {where}"
    else:
        what = "not all others came" if came else f"process 0 did not answer at {where}"
        what = f"process {index}: {what}"
    _watch.end_lost(f"{what} within {seconds} s")


def _connections(port: int, of_first: bool) -> int:
    """The connections to the first process's port, seen from there or from another process."""
    made = psutil.Process().net_connections("tcp")
    ends = (one.laddr if of_first else one.raddr for one in made if one.status == "ESTABLISHED")
    return sum(end.port == port for end in ends)
