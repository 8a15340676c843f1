"""The data-parallel training step: what its compiled program sums, and how long it takes."""

import dataclasses
import time
from typing import Any

import jax
import numpy as np

from experiments._reductions import reductions
from ffnn_jax.config import Settings, preset
from ffnn_jax.network import Network, compute_normalisation, normalise, partition
from ffnn_jax.optim import Lookahead
from ffnn_jax.runs._compute import optimizer_of
from ffnn_jax.training import (
    Images,
    SeedData,
    TrainState,
    initial_state,
    make_train_chunk,
    places,
)
from ffnn_jax.training._placement import replicated

IMAGE = (32, 32, 3)


class Program:
    """The compiled steps of a network's settings, its batches shared by all devices there are."""

    def __init__(self, settings: Settings, image: tuple[int, ...] = IMAGE) -> None:
        self._place = places(jax.devices(), 1)[0]
        self._settings, self._image = settings, image
        self.network = Network(settings.layers, image)
        self.optimizer = optimizer_of(settings, self.network)
        lookahead = Lookahead(settings.lookahead, settings.steps) if settings.lookahead else None
        self.chunk = make_train_chunk(
            self.network, self.optimizer, settings.batch_size, settings.weight_decay,
            settings.augmentations, settings.precision, settings.sampling, settings.forms or (),
            settings.label_smoothing, lookahead, self._place,
        )  # fmt: skip

    def start(self) -> tuple[TrainState, Images, SeedData]:
        """The arguments of the steps, on the devices: noise, twice as many images as a batch."""
        generator, count = np.random.default_rng(0), 2 * self._settings.batch_size
        pixels = generator.integers(0, 256, (count, *self._image), np.uint8)
        images = Images(pixels, generator.integers(0, 10, count, np.int32))
        normalisation = compute_normalisation([pixels], 1 / 255, "channel-mean-sd")
        indices = np.arange(count, dtype=np.int32)
        seed_data = SeedData(jax.random.key(0), indices, indices[:0], normalisation)
        first = normalise(jax.numpy.asarray(pixels), normalisation)
        looks_ahead = self._settings.lookahead > 0
        state = initial_state(self.network, self.optimizer, seed_data.key, first, looks_ahead)
        return replicated((state, images, seed_data), self._place)

    def text(self) -> str:
        """The text of the compiled steps."""
        state, images, seed_data = self.start()
        return self.chunk.lower(state, np.int32(0), images, seed_data).compile().as_text() or ""


def facts(name: str, devices: int) -> dict[str, Any]:
    """What a step of a preset computes and sums, in a process that has not used jax yet."""
    jax.config.update("jax_num_cpu_devices", devices)
    program = Program(preset(name))
    network, summary = program.network, program.network.summary()
    trained, _ = partition(network.shapes()[0], network.param_attribute("trained"))
    groups = jax.tree.leaves(network.trained_param_attribute("group"))
    pairs = list(zip(groups, jax.tree.leaves(trained), strict=True))
    carried = sum(array.size for array in jax.tree.leaves(network.shapes()[1]))
    lowered = jax.jit(program.optimizer.update).lower(
        trained, jax.eval_shape(program.optimizer.init, trained), trained
    )
    cost: Any = lowered.compile().cost_analysis()
    return {
        "network": name,
        "batch": preset(name).batch_size,
        "operations": summary.forward_flops + summary.backward_flops,
        "update": cost.get("flops", 0.0),
        "parameters": sum(array.size for _, array in pairs),
        "statistics": 2 * carried - sum(array.size for group, array in pairs if group == "norm"),
        "devices": devices,
        **dataclasses.asdict(reductions(program.text())),
    }


class Stepper:
    """Steps of one process; all processes of a group run as many.

    Attributes:
        loss: of the first step.
    """

    loss: float

    def __init__(self, settings: Settings, place: str, steps: int) -> None:
        """``place`` is the number of devices, or "index/processes/port"."""
        if "/" in place:
            index, processes, port = map(int, place.split("/"))
            jax.distributed.initialize(f"127.0.0.1:{port}", processes, index)
        else:
            jax.config.update("jax_num_cpu_devices", int(place))
        program = Program(settings)
        self._state, *self._data = program.start()
        self._chunk, self._steps = program.chunk, steps
        self.loss = self._run(1)

    def lap(self) -> float:
        """Seconds per step."""
        began = time.perf_counter()
        self._run(self._steps)
        return (time.perf_counter() - began) / self._steps

    def _run(self, steps: int) -> float:
        """The loss of the first of so many steps; all are waited for."""
        stop = np.int32(int(self._state.step) + steps)
        self._state, metrics = self._chunk(self._state, stop, *self._data)
        return float(np.asarray(metrics.loss)[0])
