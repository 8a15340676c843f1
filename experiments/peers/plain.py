"""Plain JAX as in its documentation: XLA's convolution and window maximum, autodiff, optax."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from experiments.peers._jax import InLoop, InScan
from experiments.peers._workload import Stepper, Workload
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "plain" (in a Python loop) or "plain-scan"."""
    params = [tuple(map(jnp.asarray, one)) for one in workload.weights()]
    rule = momentum_by_optax(workload)

    def step(state: Any, x: Array, labels: Array) -> tuple[Any, Array]:
        def loss_of(params: Any) -> Array:
            logits = logits_of(workload, params, x)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean()

        loss, grads = jax.value_and_grad(loss_of)(state[0])
        updates, rest = rule.update(grads, state[1], state[0])
        return (optax.apply_updates(state[0], updates), rest), loss

    kind = InScan if variant == "plain-scan" else InLoop
    return kind(step, (params, rule.init(params)), workload)


def logits_of(workload: Workload, params: Any, x: Array) -> Array:
    """The network's outputs."""
    remaining = iter(params)
    for layer in workload.layers:
        match layer:
            case Conv():
                w, b = next(remaining)
                dimensions = ("NHWC", "HWIO", "NHWC")
                x = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=dimensions)
                x = x + b
            case ReLU():
                x = jax.nn.relu(x)
            case MaxPool():
                window = (1, layer.window, layer.window, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
            case Dense():
                w, b = next(remaining)
                x = x.reshape(len(x), -1) @ w + b
    return x


def momentum_by_optax(workload: Workload) -> optax.GradientTransformation:
    """(24) and (25), built from optax transformations."""
    average = optax.ema(workload.mu, debias=False)
    return optax.chain(average, optax.scale_by_learning_rate(workload.alpha))
