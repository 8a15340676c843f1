"""This package: hand-derived gradients, in one compiled scan or in a Python loop."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from experiments.peers._jax import InLoop, InScan
from experiments.peers._workload import Stepper, Workload
from ffnn_jax.layers.fast import compiler_options, forms
from ffnn_jax.network import Network, Params
from ffnn_jax.optim import momentum
from ffnn_jax.runs import forms_here
from ffnn_jax.training import loss_and_gradients, make_loss


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "ours" (in a scan) or "ours-loop"."""
    network = Network(workload.layers, workload.input_shape)
    weights = zip(network.param_specs, workload.weights(), strict=True)
    params = {name: {"w": jnp.asarray(w), "b": jnp.asarray(b)} for name, (w, b) in weights}
    table = forms_here()
    frozen = jax.tree.map(lambda array: None, params)  # every parameter is trained
    rule, loss_of = momentum(workload.alpha, workload.mu), make_loss(network, "float32")

    def step(state: tuple[Params, optax.OptState], x: Array, labels: Array):
        with forms(table):
            loss, _, _, grads = loss_and_gradients(loss_of, state[0], frozen, {}, (x, labels, None))
        updates, rest = rule.update(grads, state[1], state[0])
        return (optax.apply_updates(state[0], updates), rest), loss

    kind = InLoop if variant == "ours-loop" else InScan
    return kind(step, (params, rule.init(params)), workload, compiler_options(table))
