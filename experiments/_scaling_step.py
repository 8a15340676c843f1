"""A data-parallel training step: what its compiled program sums, and how long it takes."""

import dataclasses
import time
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from experiments._reductions import reductions
from ffnn_jax.config import Settings, preset
from ffnn_jax.layers.fast import forms
from ffnn_jax.network import Network, combine, partition
from ffnn_jax.runs._compute import optimizer_of
from ffnn_jax.training import loss_and_gradients, make_loss

IMAGE = (32, 32, 3)


class Program:
    """The step of a network's settings, with the batch shared by all devices of all processes."""

    def __init__(self, settings: Settings, image: tuple[int, ...] = IMAGE) -> None:
        mesh = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))
        self._replicated = NamedSharding(mesh, PartitionSpec())
        self._sharded = NamedSharding(mesh, PartitionSpec("batch"))
        self._settings, self._image = settings, image
        self.network = Network(settings.layers, image)
        self.optimizer = optimizer_of(settings, self.network)
        shardings = (self._replicated,) * 3 + (self._sharded,) * 2
        self.step = jax.jit(self._step, in_shardings=shardings, out_shardings=self._replicated)

    def _step(self, params: Any, state: Any, opt_state: Any, x: Any, labels: Any) -> Any:
        loss_of = make_loss(self.network, self._settings.precision, self._settings.label_smoothing)
        trained, frozen = partition(params, self.network.param_attribute("trained"))
        with forms(self._settings.forms or ()):
            loss, _, state, grads = loss_and_gradients(
                loss_of, trained, frozen, state, (x, labels, None), False
            )
        updates, opt_state = self.optimizer.update(grads, opt_state, trained)
        params = combine(optax.apply_updates(trained, updates), frozen)
        return params, state, opt_state, loss

    def start(self) -> tuple[Any, ...]:
        """The arguments of the first step, on the devices."""
        generator, batch = np.random.default_rng(0), self._settings.batch_size
        x = generator.standard_normal((batch, *self._image), np.float32)
        labels = generator.integers(0, 10, batch, np.int32)
        params, state = self.network.init(jax.random.key(0), jax.numpy.asarray(x))
        trained, _ = partition(params, self.network.param_attribute("trained"))
        carried = self._placed((params, state, self.optimizer.init(trained)), self._replicated)
        return *carried, *self._placed((x, labels), self._sharded)

    def _placed(self, tree: Any, sharding: NamedSharding) -> Any:
        def place(leaf: Any) -> jax.Array:
            array = np.asarray(leaf)
            return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

        return jax.tree.map(place, tree)

    def text(self) -> str:
        """The text of the compiled step."""
        batch = self._settings.batch_size
        params, state = self.network.shapes()
        trained, _ = partition(params, self.network.param_attribute("trained"))
        opt_state = jax.eval_shape(self.optimizer.init, trained)
        x = jax.ShapeDtypeStruct((batch, *self._image), np.float32)
        labels = jax.ShapeDtypeStruct((batch,), np.int32)
        compiled = self.step.lower(params, state, opt_state, x, labels).compile()
        return compiled.as_text() or ""


def facts(name: str, devices: int) -> dict[str, Any]:
    """What a step of a preset computes and sums, in a process that has not used jax yet.

    Sums are read from a step of two images per device, whose convolutions take them all at once:
    what is summed does not depend on the number of images.
    """
    jax.config.update("jax_num_cpu_devices", devices)
    program = Program(dataclasses.replace(preset(name), batch_size=2 * devices))
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
        *self._carried, self._x, self._labels = program.start()
        self._step, self._steps = program.step, steps
        self.loss = self._run(1)

    def lap(self) -> float:
        """Seconds per step."""
        began = time.perf_counter()
        self._run(self._steps)
        return (time.perf_counter() - began) / self._steps

    def _run(self, steps: int) -> float:
        """The loss of the last of so many steps, which is waited for."""
        loss: Any = None
        for _ in range(steps):
            *self._carried, loss = self._step(*self._carried, self._x, self._labels)
        return float(np.asarray(loss))
