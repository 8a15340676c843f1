"""Flax NNX: nnx.jit over the model, or its pure form by split and merge."""

# pyright: reportMissingImports=false

import functools
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array

from experiments.peers._jax import InLoop
from experiments.peers._workload import Arrays, Stepper, Workload
from experiments.peers.plain import momentum_by_optax
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Scale

_NAMES = {"w": "kernel", "b": "bias", "shift": "bias", "factor": "factor"}


class _Factor(nnx.Module):
    def __init__(self) -> None:
        self.factor = nnx.Param(jnp.ones(()))

    def __call__(self, x: Array) -> Array:
        return self.factor * x


def model_of(workload: Workload) -> nnx.Sequential:
    """The network built from Flax layers, with the workload's weights."""
    rngs, layers = nnx.Rngs(0), zip(workload.layers, workload.shapes(), strict=False)
    parts: list[Any] = []
    for (layer, shape), weights in zip(layers, workload.weights(), strict=True):
        found = list(_parts(layer, shape, rngs))
        _set(found[-1], weights)
        parts += found
    return nnx.Sequential(*parts)


def _parts(layer: Layer, shape: tuple[int, ...], rngs: nnx.Rngs) -> Iterator[Any]:
    """The modules and functions of a layer; the last has its weights."""
    match layer:
        case Conv():
            window, bias = (layer.size, layer.size), layer.bias
            yield nnx.Conv(
                shape[-1], layer.filters, window, padding=layer.padding, use_bias=bias, rngs=rngs
            )
        case BatchNorm():
            yield nnx.BatchNorm(
                shape[-1], momentum=layer.momentum, epsilon=layer.eps, use_scale=False, rngs=rngs
            )
        case ReLU():
            yield nnx.relu
        case GELU():
            yield functools.partial(nnx.gelu, approximate=False)
        case MaxPool():
            window = (layer.window, layer.window)
            yield functools.partial(nnx.max_pool, window_shape=window, strides=window)
        case Dense():
            yield _flat
            inputs = layer.params(shape)["w"].shape[0]
            yield nnx.Linear(inputs, layer.units, use_bias=layer.bias, rngs=rngs)
        case Scale():
            yield _Factor()


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def _set(part: Any, weights: Arrays) -> None:
    for name, array in weights.items():
        getattr(part, _NAMES[name]).value = jnp.asarray(array)


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "flax" (nnx.jit) or "flax-split"."""
    model = model_of(workload)
    return _split(model, workload) if variant == "flax-split" else _Jitted(model, workload)


class _Jitted:
    def __init__(self, model: nnx.Sequential, workload: Workload) -> None:
        self._model = model
        self._optimizer = nnx.Optimizer(model, momentum_by_optax(workload), wrt=nnx.Param)
        self._batches = [tuple(map(jnp.asarray, batch)) for batch in workload.batches()]

        @nnx.jit
        def step(model: Any, optimizer: nnx.Optimizer, x: Array, labels: Array) -> Array:
            loss, grads = nnx.value_and_grad(loss_of)(model, x, labels)
            optimizer.update(model, grads)
            return loss

        self._step = step

    def run(self) -> list[float]:
        """Dispatches every step before reading the first loss."""
        losses = [self._step(self._model, self._optimizer, *batch) for batch in self._batches]
        return [float(loss) for loss in losses]


def _split(model: nnx.Sequential, workload: Workload) -> Stepper:
    optimizer = nnx.Optimizer(model, momentum_by_optax(workload), wrt=nnx.Param)
    graph, state = nnx.split((model, optimizer))

    def step(state: Any, x: Array, labels: Array) -> tuple[Any, Array]:
        model, optimizer = nnx.merge(graph, state)
        loss, grads = nnx.value_and_grad(loss_of)(model, x, labels)
        optimizer.update(model, grads)
        return nnx.state((model, optimizer)), loss

    return InLoop(step, state, workload)


def loss_of(model: Any, x: Array, labels: Array) -> Array:
    """The mean loss of a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()
