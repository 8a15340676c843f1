"""Flax NNX: nnx.jit over the model, or its pure form by split and merge."""

# pyright: reportMissingImports=false

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array

from experiments.peers._jax import InLoop
from experiments.peers._workload import Stepper, Workload
from experiments.peers.plain import momentum_by_optax
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU


class Model(nnx.Module):
    """The network built from Flax layers, with the workload's weights."""

    def __init__(self, workload: Workload) -> None:
        rngs, remaining, parts = nnx.Rngs(0), iter(workload.weights()), []
        for layer, shape in zip(workload.layers, workload.shapes(), strict=False):
            match layer:
                case Conv():
                    size = (layer.size, layer.size)
                    part = nnx.Conv(shape[-1], layer.filters, size, padding="SAME", rngs=rngs)
                    _set(part, *next(remaining))
                case Dense():
                    w, b = next(remaining)
                    part = nnx.Linear(w.shape[0], layer.units, rngs=rngs)
                    _set(part, w, b)
                case _:
                    continue
            parts.append(part)
        self.parts = nnx.List(parts)
        self.layers = workload.layers

    def __call__(self, x: Array) -> Array:
        remaining = iter(self.parts)
        for layer in self.layers:
            match layer:
                case Conv():
                    x = next(remaining)(x)
                case ReLU():
                    x = nnx.relu(x)
                case MaxPool():
                    window = (layer.window, layer.window)
                    x = nnx.max_pool(x, window, window)
                case Dense():
                    x = next(remaining)(x.reshape(len(x), -1))
        return x


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "flax" (nnx.jit) or "flax-split"."""
    model = Model(workload)
    return _split(model, workload) if variant == "flax-split" else _Jitted(model, workload)


class _Jitted:
    def __init__(self, model: Model, workload: Workload) -> None:
        self._model = model
        self._optimizer = nnx.Optimizer(model, momentum_by_optax(workload), wrt=nnx.Param)
        self._batches = [tuple(map(jnp.asarray, batch)) for batch in workload.batches()]

        @nnx.jit
        def step(model: Model, optimizer: nnx.Optimizer, x: Array, labels: Array) -> Array:
            loss, grads = nnx.value_and_grad(loss_of)(model, x, labels)
            optimizer.update(model, grads)
            return loss

        self._step = step

    def run(self) -> list[float]:
        """Dispatches every step before reading the first loss."""
        losses = [self._step(self._model, self._optimizer, *batch) for batch in self._batches]
        return [float(loss) for loss in losses]


def _split(model: Model, workload: Workload) -> Stepper:
    optimizer = nnx.Optimizer(model, momentum_by_optax(workload), wrt=nnx.Param)
    graph, state = nnx.split((model, optimizer))

    def step(state: Any, x: Array, labels: Array) -> tuple[Any, Array]:
        model, optimizer = nnx.merge(graph, state)
        loss, grads = nnx.value_and_grad(loss_of)(model, x, labels)
        optimizer.update(model, grads)
        return nnx.state((model, optimizer)), loss

    return InLoop(step, state, workload)


def loss_of(model: Model, x: Array, labels: Array) -> Array:
    """The mean loss of a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()


def _set(part: Any, w: Any, b: Any) -> None:
    part.kernel.value, part.bias.value = jax.numpy.asarray(w), jax.numpy.asarray(b)
