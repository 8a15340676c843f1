"""Equinox: modules for one image, channels first, and vmap over the batch."""

# pyright: reportMissingImports=false

import math
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from experiments.peers._workload import Arrays, Stepper, Workload
from experiments.peers.plain import momentum_by_optax
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Scale

_BATCH = "batch"


def make(workload: Workload, variant: str) -> Stepper:
    """The only stepper."""
    return _Equinox(workload)


class _Equinox:
    def __init__(self, workload: Workload) -> None:
        rule = momentum_by_optax(workload)
        self._model, self._running = eqx.nn.make_with_state(_model)(workload)
        self._state = rule.init(eqx.filter(self._model, eqx.is_inexact_array))
        self._batches = [
            (jnp.asarray(np.moveaxis(x, -1, 1)), jnp.asarray(labels))
            for x, labels in workload.batches()
        ]

        @eqx.filter_jit(donate="all-except-first")
        def step(batch: tuple[Array, Array], model: Any, running: Any, state: Any) -> Any:
            value_and_grad = eqx.filter_value_and_grad(_loss, has_aux=True)
            (loss, running), grads = value_and_grad(model, running, *batch)
            updates, state = rule.update(grads, state, eqx.filter(model, eqx.is_inexact_array))
            return eqx.apply_updates(model, updates), running, state, loss

        self._step = step

    def run(self) -> list[float]:
        """Dispatches every step before reading the first loss."""
        losses = []
        for batch in self._batches:
            self._model, self._running, self._state, loss = self._step(
                batch, self._model, self._running, self._state
            )
            losses.append(loss)
        return [float(loss) for loss in losses]


def _loss(model: Any, running: Any, x: Array, labels: Array) -> tuple[Array, Any]:
    over_batch = jax.vmap(model, in_axes=(0, None), out_axes=(0, None), axis_name=_BATCH)
    logits, running = over_batch(x, running)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), running


class _Shift(eqx.Module):
    shift: Array

    def __call__(self, x: Array, *, key: Any = None) -> Array:
        return x + self.shift[:, None, None]


class _Factor(eqx.Module):
    factor: Array

    def __call__(self, x: Array, *, key: Any = None) -> Array:
        return self.factor * x


def _model(workload: Workload) -> Any:
    layers = zip(workload.layers, workload.shapes(), strict=False)
    parts = zip(layers, workload.weights(), strict=True)
    return eqx.nn.Sequential([p for one, weights in parts for p in _parts(*one, weights)])


def _parts(layer: Layer, shape: tuple[int, ...], weights: Arrays) -> Iterator[Any]:
    key = jax.random.key(0)
    match layer:
        case Conv():
            size, padding, bias = layer.size, layer.padding, layer.bias
            part = eqx.nn.Conv2d(
                shape[-1], layer.filters, size, padding=padding, use_bias=bias, key=key
            )
            b = weights["b"][:, None, None] if bias else None
            yield _with(part, weights["w"].transpose(3, 2, 0, 1), b)
        case BatchNorm():
            yield eqx.nn.BatchNorm(
                shape[-1], _BATCH, layer.eps, False, layer.momentum, mode="batch"
            )
            yield _Shift(jnp.asarray(weights["shift"]))
        case ReLU():
            yield eqx.nn.Lambda(jax.nn.relu)
        case GELU():
            yield eqx.nn.Lambda(lambda x: jax.nn.gelu(x, approximate=False))
        case MaxPool():
            yield eqx.nn.MaxPool2d(layer.window, layer.window)
        case Dense():
            w = weights["w"]
            if len(shape) == 3:
                yield eqx.nn.Lambda(jnp.ravel)
                w = w.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(w.shape)
            part = eqx.nn.Linear(math.prod(shape), layer.units, use_bias=layer.bias, key=key)
            yield _with(part, w.T, weights.get("b"))
        case Scale():
            yield _Factor(jnp.asarray(weights["factor"]))


def _with(part: Any, w: Any, b: Any) -> Any:
    part = eqx.tree_at(lambda one: one.weight, part, jnp.asarray(np.ascontiguousarray(w)))
    return part if b is None else eqx.tree_at(lambda one: one.bias, part, jnp.asarray(b))
