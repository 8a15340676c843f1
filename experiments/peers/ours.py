"""This package: hand-derived gradients, in one compiled scan or in a Python loop."""

import jax
import optax
from jaxtyping import Array

from experiments.peers._jax import InLoop, InScan, on_device
from experiments.peers._workload import Arrays, Stepper, Workload
from ffnn_jax.layers.fast import Table, compiler_options, forms
from ffnn_jax.network import Network, Params, State
from ffnn_jax.optim import momentum
from ffnn_jax.runs import forms_here
from ffnn_jax.training import loss_and_gradients, make_loss


def make(workload: Workload, variant: str, table: Table | None = None) -> Stepper:
    """The stepper of "ours" (in a scan), "ours-loop" or "ours-bf16" (in a scan, in bfloat16).

    The forms of the convolutions are those of this processor, unless a table names them.
    """
    network = Network(workload.layers, workload.input_shape)
    params, running = (_named(network, a) for a in (workload.weights(), workload.running()))
    table = forms_here() if table is None else table
    frozen = jax.tree.map(lambda array: None, params)  # every parameter is trained
    rule = momentum(workload.alpha, workload.mu)
    loss_of = make_loss(network, "bf16" if variant == "ours-bf16" else "float32")

    def step(state: tuple[Params, State, optax.OptState], x: Array, labels: Array):
        params, running, rest = state
        with forms(table):
            loss, _, running, grads = loss_and_gradients(
                loss_of, params, frozen, running, (x, labels, None), network.allows_micro_batches
            )
        updates, rest = rule.update(grads, rest, params)
        return (optax.apply_updates(params, updates), running, rest), loss

    kind = InLoop if variant == "ours-loop" else InScan
    return kind(step, (params, running, rule.init(params)), workload, compiler_options(table))


def _named(network: Network, arrays: list[Arrays]) -> Params:
    """The arrays of the layers that have any, by the layer's name."""
    named = zip(network.layer_names, arrays, strict=True)
    return {name: on_device(each) for name, each in named if each}
