"""Dask's cluster: a process on each core of this machine, or a given one."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from ffnn_jax.config import UserError, require_sweep

if TYPE_CHECKING:
    from distributed import Client

_DEATHS, _LOST = 3, ("closed", "failed")
_CONFIG = {
    "distributed.scheduler.allowed-failures": _DEATHS - 1,
    "distributed.scheduler.worker-saturation": 1.0,
    # Dask shares each core with a seed: it looks at itself less often, and not at the seed.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "1h",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.deploy.lost-worker-timeout": "1h",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@contextlib.contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator["Client"]:
    """A client of the scheduler, or of a cluster of this machine that ends with the context."""
    require_sweep("sweep")
    import dask.config
    from distributed import Client

    with contextlib.ExitStack() as stack:
        for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
            log = logging.getLogger(name)
            stack.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)  # what matters is said in a line of ours
        stack.enter_context(dask.config.set(_CONFIG))
        if scheduler is None:
            cluster = stack.enter_context(_local_cluster(workers))
            yield stack.enter_context(Client(cluster, set_as_default=False))
        else:
            yield stack.enter_context(_client_of(scheduler))


def _client_of(scheduler: str) -> "Client":
    from distributed import Client

    try:
        client: Any = Client(scheduler, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = "it is no address" if isinstance(error, ValueError) else "none in 30 s"
        raise UserError(f"scheduler: no answer from {scheduler!r}: {reason}") from None
    if (most := max(client.nthreads().values(), default=1)) > 1:
        client.close()
        raise UserError(f"scheduler: a worker must have 1 thread, one has {most}: --nthreads 1")
    return client


@contextlib.contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    """A single-threaded worker process for each core, each of which ends with this process."""
    from distributed import LocalCluster
    from tornado.ioloop import PeriodicCallback

    nowhere_else: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    _track_quietly()
    started: Any = LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", memory_limit=0,
        silence_logs=logging.CRITICAL, scheduler_kwargs=nowhere_else,
        preload=["ffnn_jax._workers"],
    )  # fmt: skip
    with started as cluster:
        replacing = PeriodicCallback(lambda: _replace_lost(cluster, workers), 1000)
        cluster.loop.add_callback(replacing.start)
        try:
            yield cluster
        except BaseException:  # not even Dask waits for a seed that nobody wants
            for nanny in cluster.workers.values():
                nanny.close_gracefully()
                with contextlib.suppress(ProcessLookupError, TypeError):  # it may be restarting
                    os.kill(nanny.pid, signal.SIGTERM)
            raise
        finally:
            cluster.loop.add_callback(replacing.stop)


def _replace_lost(cluster: Any, workers: int) -> None:
    """Starts workers anew that died before they had started, which Dask gives up."""
    lost = [name for name, one in cluster.workers.items() if one.status.name in _LOST]
    for name in lost:
        del cluster.workers[name]
    if lost:
        cluster.scale(workers)


def _track_quietly() -> None:
    """Starts Python's tracker of semaphores, which would report those that a signal leaves it."""
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    resource_tracker.ensure_running()
    sys.warnoptions.pop()
