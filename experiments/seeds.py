"""Many seeds of one network: the methods of training them, side by side.

Command: python -m experiments.seeds
Quick: python -m experiments.seeds --quick, 2 seeds, 1 step, 1 round, results to runs/quick.

Random images stand in for a data set; a step is timed in full, from drawing the batch to the
update. "one by one" calls the single-seed program for each seed in turn, "threads" from one thread
per core, "processes" from one process bound to each core; "mapped" (``jax.lax.map``) and "vmapped"
(``jax.vmap``) are one program for all seeds. Rounds are interleaved.
"""

import dataclasses
import functools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from experiments._machine import device_name, provenance, require_quiet
from experiments._results import folder_for, run_command, write_result
from ffnn_jax._processor import bind_to, core_numbers
from ffnn_jax.config import Settings, preset

_PRESETS = ("mnist", "cifar10-0", "cifar10-3")
_SEEDS, _STEPS, _ROUNDS, _IMAGES = 4, 200, 5, 20_000


def main(quick: bool = False) -> None:
    """The methods of training many seeds.

    Args:
        quick: smoke test with a few steps.
    """
    if not quick:
        require_quiet()
    names, seeds, steps, rounds = ("mnist",), 2, 1, 1
    if not quick:
        names, seeds, steps, rounds = _PRESETS, _SEEDS, _STEPS, _ROUNDS
    rows = [row for name in names for row in _rows(preset(name), seeds, steps, rounds)]
    result = {
        **provenance(quick), "seeds": seeds, "steps": steps, "rounds": rounds, "rows": rows,
    }  # fmt: skip
    path = folder_for(quick) / f"seeds-{device_name()}.json"
    write_result(path, result)
    for row in rows:
        print(f"{row['network']}, {row['method']}: {row['median_ms']} ms per step and seed")


def _rows(settings: Settings, seeds: int, steps: int, rounds: int) -> list[dict[str, Any]]:
    """One row per method: wall-clock milliseconds per step and seed."""
    bench = Bench(settings, seeds, steps)
    methods: dict[str, Callable[[], float]] = {
        "one by one": bench.one_by_one,
        "threads": bench.threads,
        "mapped": bench.mapped,
        "vmapped": bench.vmapped,
        "processes": functools.partial(_in_processes, settings, seeds, steps),
    }
    for method in methods.values():
        method()
    laps: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            laps[name].append(1e3 * method() / (steps * seeds))
    _workers.cache_clear()  # closes their pipes, which stops them
    return [
        {
            "network": settings.preset,
            "method": name,
            "median_ms": float(f"{statistics.median(times):.4g}"),
            "spread": [float(f"{value:.4g}") for value in (min(times), max(times))],
        }
        for name, times in laps.items()
    ]


class Bench:
    """Programs for one seed and for all, compiled once."""

    def __init__(self, settings: Settings, seeds: int, steps: int) -> None:
        import jax

        from ffnn_jax.network import Network
        from ffnn_jax.optim import momentum
        from ffnn_jax.training import initial_state, make_train_chunk

        self._images, self._seeds_data = _draw_data(settings, range(seeds))
        network = Network(settings.layers, self._images.pixels.shape[1:])
        optimizer = momentum(settings.learning_rate, settings.momentum, settings.weight_decay)
        self._begin = functools.partial(initial_state, network, optimizer)
        self._stops = [min(stop + 100, steps) for stop in range(0, steps, 100)]
        chunk = make_train_chunk(network, optimizer, settings.batch_size, settings.weight_decay)
        self._one = chunk
        self._vmapped = jax.jit(jax.vmap(chunk, in_axes=(0, None, None, 0)), donate_argnums=0)
        self._mapped = jax.jit(_by_lax_map(chunk), donate_argnums=0)

    def one_by_one(self) -> float:
        """Seconds for all seeds, one after another."""
        return _time(lambda: [self._train(self._one, seed_data) for seed_data in self._seeds_data])

    def threads(self) -> float:
        """Seconds for all seeds, from one thread per core."""
        with ThreadPoolExecutor(len(core_numbers())) as pool:
            train = functools.partial(self._train, self._one)
            return _time(lambda: list(pool.map(train, self._seeds_data)))

    def mapped(self) -> float:
        """Seconds for one program that loops over the seeds."""
        return _time(lambda: self._train_all(self._mapped))

    def vmapped(self) -> float:
        """Seconds for one program whose arrays have a seed axis."""
        return _time(lambda: self._train_all(self._vmapped))

    def _train(self, chunk: Any, seed_data: Any) -> Any:
        state = self._begin(seed_data.key)
        for stop in self._stops:
            state, metrics = chunk(state, np.int32(stop), self._images, seed_data)
            np.asarray(metrics.loss)
        return state

    def _train_all(self, chunk: Any) -> Any:
        import jax
        import jax.numpy as jnp

        def stacked(trees: Sequence[Any]) -> Any:
            return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

        seeds_data = stacked(self._seeds_data)
        states = stacked([self._begin(seed_data.key) for seed_data in self._seeds_data])
        for stop in self._stops:
            states, metrics = chunk(states, np.int32(stop), self._images, seeds_data)
            np.asarray(metrics.loss)
        return states


def _by_lax_map(chunk: Any) -> Callable[..., Any]:
    import jax

    def mapped(states: Any, stop: Any, images: Any, seeds_data: Any) -> Any:
        return jax.lax.map(lambda pair: chunk(pair[0], stop, images, pair[1]), (states, seeds_data))

    return mapped


def _draw_data(settings: Settings, seeds: Sequence[int]) -> tuple[Any, list[Any]]:
    """Random images on the device, and each seed's data."""
    import jax

    from ffnn_jax.network import compute_normalisation
    from ffnn_jax.training import Images, SeedData

    shape = (32, 32, 3) if settings.dataset == "cifar10" else (28, 28, 1)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (_IMAGES, *shape), np.uint8)
    images = Images(pixels, generator.integers(0, 10, _IMAGES).astype(np.int32))
    normalisation = compute_normalisation([pixels], 1 / 255)
    indices = np.arange(_IMAGES, dtype=np.int32)
    split = _IMAGES // 10
    seeds_data = [
        SeedData(jax.random.key(k), indices[split:], indices[:split], normalisation) for k in seeds
    ]
    return jax.device_put((images, seeds_data))


def _time(work: Callable[[], Any]) -> float:
    import jax

    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began


@functools.cache
def _workers(settings: Settings, steps: int) -> list[Any]:
    """One process per core, with its program compiled, that waits for a number of seeds."""
    context, workers = multiprocessing.get_context("spawn"), []
    for core in core_numbers():
        ours, theirs = context.Pipe()
        arguments = (theirs, core, settings, steps)
        context.Process(target=_serve, args=arguments, daemon=True).start()
        workers.append(ours)
    return workers


def _in_processes(settings: Settings, seeds: int, steps: int) -> float:
    """Seconds for all seeds, distributed over one process per core."""
    workers = _workers(settings, steps)
    shares = [len(range(index, seeds, len(workers))) for index in range(len(workers))]
    began = time.perf_counter()
    for worker, share in zip(workers, shares, strict=True):
        worker.send(share)
    for worker in workers:
        worker.recv()
    return time.perf_counter() - began


def _serve(pipe: Any, core: int, settings: Settings, steps: int) -> None:
    bind_to([core])
    bench = Bench(dataclasses.replace(settings, seeds=1), 1, steps)
    while True:
        try:
            share = pipe.recv()
        except EOFError:
            return
        pipe.send([bench.one_by_one() for _ in range(share)])


if __name__ == "__main__":
    run_command(main)
