"""Times of data-parallel steps on virtual devices of a processor, and in processes of one host."""

import multiprocessing
import socket
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from experiments._scaling_step import Stepper
from ffnn_jax.config import Settings

ALONE = "1 device"
PLACES = (ALONE, "2 devices", "4 devices", "8 devices", "2 processes")


class Group:
    """The processes of a place, which step together."""

    def __init__(self, place: str, settings: Settings, steps: int) -> None:
        count, kind = place.split()
        names, port = [count], _free_port()
        if kind == "processes":
            names = [f"{index}/{count}/{port}" for index in range(int(count))]
        context, self._pipes = multiprocessing.get_context("spawn"), []
        for name in names:
            ours, theirs = context.Pipe()
            arguments = (theirs, settings, name, steps)
            context.Process(target=_serve, args=arguments, daemon=True).start()
            theirs.close()
            self._pipes.append(ours)

    def lap(self) -> tuple[float, float]:
        """Seconds per step of the slowest process, and the last loss."""
        with ThreadPoolExecutor(len(self._pipes)) as pool:
            laps = list(pool.map(_ask, self._pipes))
        return max(seconds for seconds, _ in laps), laps[0][1]

    def close(self) -> None:
        """Ends the processes."""
        for pipe in self._pipes:
            pipe.close()


def time_rows(settings: Settings, places: Sequence[str], rounds: int, steps: int) -> list[Any]:
    """A row for each place; the overhead is over the first place's lap of the same round.

    Every place trains from the same parameters on the same batch: their losses are compared.
    """
    groups = {place: Group(place, settings, steps) for place in places}
    laps = [{place: group.lap() for place, group in groups.items()} for _ in range(rounds)]
    for group in groups.values():
        group.close()
    for lap in laps:
        losses = [loss for _, loss in lap.values()]
        np.testing.assert_allclose(losses, losses[0], rtol=1e-2)
    return [_row(settings, place, laps, places[0]) for place in places]


def _row(settings: Settings, place: str, laps: Sequence[Any], first: str) -> dict[str, Any]:
    times = [1e3 * lap[place][0] for lap in laps]
    overheads = [lap[place][0] / lap[first][0] - 1 for lap in laps]
    return {
        "network": settings.preset,
        "batch": settings.batch_size,
        "place": place,
        "median_ms": float(f"{statistics.median(times):.4g}"),
        "spread": [float(f"{value:.4g}") for value in (min(times), max(times))],
        "overhead": round(statistics.median(overheads), 3),
        "first_loss": laps[0][place][1],
    }


def _ask(pipe: Any) -> tuple[float, float]:
    pipe.send("lap")
    return pipe.recv()


def _serve(pipe: Any, settings: Settings, name: str, steps: int) -> None:
    """Steps for as long as it is asked to."""
    stepper = Stepper(settings, name, steps)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        pipe.send(stepper.lap())


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
