"""Times of data-parallel steps on virtual devices of a processor, and in processes of one host."""

import multiprocessing
import socket
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

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

    def loss(self) -> float:
        """The loss of the first step."""
        return self._ask("loss")[0]

    def lap(self) -> float:
        """Seconds per step of the slowest process."""
        return max(self._ask("lap"))

    def _ask(self, request: str) -> list[float]:
        def answer(pipe: Any) -> float:
            pipe.send(request)
            return pipe.recv()

        with ThreadPoolExecutor(len(self._pipes)) as pool:
            return list(pool.map(answer, self._pipes))

    def close(self) -> None:
        """Ends the processes."""
        for pipe in self._pipes:
            pipe.close()


class Timing(NamedTuple):
    """How often a network is timed.

    Attributes:
        starts: of every place's processes; the speed of two processes of one program differs.
        rounds: laps of each start, in which the places take turns.
        steps: of a lap.
    """

    starts: int
    rounds: int
    steps: int


def time_rows(settings: Settings, places: Sequence[str], timing: Timing) -> list[dict[str, Any]]:
    """A row for each place; the overhead is over the first place's lap of the same round.

    Every place starts from the same parameters, on the same batch: their first losses are compared.
    """
    laps, losses = list[dict[str, float]](), dict[str, float]()
    for _ in range(timing.starts):
        groups = {place: Group(place, settings, timing.steps) for place in places}
        losses = {place: group.loss() for place, group in groups.items()}
        np.testing.assert_allclose([*losses.values()], losses[places[0]], rtol=1e-4)
        for _ in range(timing.rounds):
            laps.append({place: group.lap() for place, group in groups.items()})
        for group in groups.values():
            group.close()
    rows = (_row(place, [(lap[place], lap[places[0]]) for lap in laps]) for place in places)
    named = {"network": settings.preset, "batch": settings.batch_size, **timing._asdict()}
    return [{**named, **row, "first_loss": losses[row["place"]]} for row in rows]


def _row(place: str, laps: Sequence[tuple[float, float]]) -> dict[str, Any]:
    times = [1e3 * seconds for seconds, _ in laps]
    return {
        "place": place,
        "median_ms": float(f"{statistics.median(times):.4g}"),
        "spread": [float(f"{value:.4g}") for value in (min(times), max(times))],
        "overhead": round(statistics.median(ours / first - 1 for ours, first in laps), 3),
    }


def _serve(pipe: Any, settings: Settings, name: str, steps: int) -> None:
    """Steps for as long as it is asked to."""
    stepper = Stepper(settings, name, steps)
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        pipe.send(stepper.loss if request == "loss" else stepper.lap())


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
