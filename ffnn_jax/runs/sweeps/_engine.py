"""Calls spread by Dask, each of which ends on its own, whatever becomes of the others."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, NamedTuple

from ffnn_jax._processor import core_numbers
from ffnn_jax.config import DivergedError, UserError
from ffnn_jax.runs.sweeps._cluster import connected

if TYPE_CHECKING:
    from distributed import Client, Future

Key = tuple[str, int]
Call = tuple[Any, ...]  # a function and its arguments
_KILLED = "killed every worker process that tried it; out of memory?"


class Outcome(NamedTuple):
    """The result of a call, or the one-line reason why it has none."""

    result: Any = None
    reason: str = ""


def outcomes(calls: Mapping[Key, Call], scheduler: str | None) -> Iterator[tuple[Key, Outcome]]:
    """Makes the calls and yields how each ended, as it ends.

    A call whose worker process dies is made again. Dask blames a death on every call that waited
    for the worker, so those with three deaths are made once more at the end, one by one.
    """
    with connected(scheduler, len(core_numbers())) as client:
        blamed = []
        for key, future in completed(client, calls):
            outcome = _outcome(future)
            if outcome.reason == _KILLED:
                blamed.append(key)
            else:
                yield key, outcome
        for key in blamed:
            for _, future in completed(client, {key: calls[key]}):
                yield key, _outcome(future)


def run_alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a process bound to one core, as a sweep would; raises what it raises."""
    with connected(None, 1) as client:
        return client.submit(function, *arguments, pure=False).result()


def completed(client: "Client", calls: Mapping[Key, Call]) -> Iterator[tuple[Key, "Future"]]:
    """Submits the calls, the first ones first, and yields their futures as they end."""
    from distributed import as_completed

    batch = f"ffnn-jax-{uuid.uuid4().hex}"
    futures = {
        client.submit(*call, key=(batch, *key), pure=False, priority=-number): key
        for number, (key, call) in enumerate(calls.items())
    }
    for future in as_completed(futures, loop=client.loop):
        yield futures.pop(future), future


def _outcome(future: "Future") -> Outcome:
    from distributed import KilledWorker

    try:
        return Outcome(future.result())
    except CancelledError:
        raise ConnectionError("the scheduler has gone; the same command goes on") from None
    except KilledWorker:
        return Outcome(reason=_KILLED)
    except Exception as error:  # of any kind: it spares the other calls
        first = next(iter(str(error).splitlines()), "")
        own = isinstance(error, UserError | DivergedError)
        return Outcome(reason=first if own else f"{type(error).__name__}: {first}")
