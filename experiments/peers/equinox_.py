"""Equinox: modules for one image, channels first, and vmap over the batch."""

# pyright: reportMissingImports=false

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from experiments.peers._workload import Stepper, Workload
from experiments.peers.plain import momentum_by_optax
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU


def make(workload: Workload, variant: str) -> Stepper:
    """The only stepper."""
    return _Equinox(workload)


class _Equinox:
    def __init__(self, workload: Workload) -> None:
        rule = momentum_by_optax(workload)
        self._model = _model(workload)
        self._state = rule.init(eqx.filter(self._model, eqx.is_inexact_array))
        self._batches = [
            (jnp.asarray(np.moveaxis(x, -1, 1)), jnp.asarray(labels))
            for x, labels in workload.batches()
        ]

        @eqx.filter_jit(donate="all-except-first")
        def step(batch: tuple[Array, Array], model: Any, state: Any) -> Any:
            loss, grads = eqx.filter_value_and_grad(_loss)(model, *batch)
            updates, state = rule.update(grads, state, eqx.filter(model, eqx.is_inexact_array))
            return eqx.apply_updates(model, updates), state, loss

        self._step = step

    def run(self) -> list[float]:
        """Dispatches every step before reading the first loss."""
        losses = []
        for batch in self._batches:
            self._model, self._state, loss = self._step(batch, self._model, self._state)
            losses.append(loss)
        return [float(loss) for loss in losses]


def _loss(model: Any, x: Array, labels: Array) -> Array:
    logits = jax.vmap(model)(x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _model(workload: Workload) -> Any:
    key, remaining, parts = jax.random.key(0), iter(workload.weights()), []
    for layer, shape in zip(workload.layers, workload.shapes(), strict=False):
        match layer:
            case Conv():
                w, b = next(remaining)
                part = eqx.nn.Conv2d(shape[-1], layer.filters, layer.size, padding="SAME", key=key)
                parts.append(_with(part, w.transpose(3, 2, 0, 1), b[:, None, None]))
            case ReLU():
                parts.append(eqx.nn.Lambda(jax.nn.relu))
            case MaxPool():
                parts.append(eqx.nn.MaxPool2d(layer.window, layer.window))
            case Dense():
                w, b = next(remaining)
                if len(shape) == 3:
                    parts.append(eqx.nn.Lambda(jnp.ravel))
                    w = w.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(w.shape)
                part = eqx.nn.Linear(math.prod(shape), layer.units, key=key)
                parts.append(_with(part, w.T, b))
    return eqx.nn.Sequential(parts)


def _with(part: Any, w: Any, b: Any) -> Any:
    w, b = jnp.asarray(np.ascontiguousarray(w)), jnp.asarray(b)
    return eqx.tree_at(lambda one: (one.weight, one.bias), part, (w, b))
