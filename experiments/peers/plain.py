"""Plain JAX as in its documentation: XLA's convolution and window maximum, autodiff, optax."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from experiments.peers._jax import InLoop, InScan, on_device
from experiments.peers._workload import Stepper, Workload
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Scale


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "plain" (in a Python loop) or "plain-scan"."""
    params, running = (list(map(on_device, a)) for a in (workload.weights(), workload.running()))
    rule = momentum_by_optax(workload)

    def loss_of(params: Any, running: Any, x: Array, labels: Array) -> tuple[Array, Any]:
        logits, running = outputs(workload.layers, params, running, x)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), running

    def step(state: Any, x: Array, labels: Array) -> tuple[Any, Array]:
        params, running, rest = state
        value_and_grad = jax.value_and_grad(loss_of, has_aux=True)
        (loss, running), grads = value_and_grad(params, running, x, labels)
        updates, rest = rule.update(grads, rest, params)
        return (optax.apply_updates(params, updates), running, rest), loss

    kind = InScan if variant == "plain-scan" else InLoop
    return kind(step, (params, running, rule.init(params)), workload)


def outputs(
    layers: tuple[Layer, ...], params: Any, running: Any, x: Array, training: bool = True
) -> tuple[Array, list[Any]]:
    """The network's outputs, and each layer's running statistics after the batch."""
    after = []
    for layer, weights, statistics in zip(layers, params, running, strict=True):
        match layer:
            case Conv():
                dimensions = ("NHWC", "HWIO", "NHWC")
                padding = str(layer.padding)
                x = jax.lax.conv_general_dilated(
                    x, weights["w"], (1, 1), padding, dimension_numbers=dimensions
                )
                x = x + weights["b"] if layer.bias else x
            case BatchNorm():
                x, statistics = _normalised(layer, statistics, x, training)
                x = x + weights["shift"]
            case ReLU():
                x = jax.nn.relu(x)
            case GELU():
                x = jax.nn.gelu(x, approximate=False)
            case MaxPool():
                window = (1, layer.window, layer.window, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
            case Dense():
                x = x.reshape(len(x), -1) @ weights["w"]
                x = x + weights["b"] if layer.bias else x
            case Scale():
                x = weights["factor"] * x
        after.append(statistics)
    return x, after


def _normalised(
    layer: BatchNorm, running: Any, x: Array, training: bool
) -> tuple[Array, dict[str, Array]]:
    """Normalises by the batch, if training; returns also the running statistics after it."""
    batch = {"mean": x.mean((0, 1, 2)), "variance": x.var((0, 1, 2))} if training else running
    x = (x - batch["mean"]) * jax.lax.rsqrt(batch["variance"] + layer.eps)
    keep = layer.momentum if training else 1.0
    return x, {name: keep * running[name] + (1 - keep) * batch[name] for name in running}


def momentum_by_optax(workload: Workload) -> optax.GradientTransformation:
    """(24) and (25), built from optax transformations."""
    average = optax.ema(workload.mu, debias=False)
    return optax.chain(average, optax.scale_by_learning_rate(workload.alpha))
