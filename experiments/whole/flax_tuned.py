"""Flax NNX tuned: images on the device, batches by index inside the jitted pure step.

Steps are called one by one: inside a compiled loop XLA's convolution is much slower on a CPU.
"""

# pyright: reportMissingImports=false

import functools

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.peers.flax_nnx import loss_of, model_of
from experiments.whole._data import load_task, print_accuracy
from experiments.whole._optax import momentum_and_decay


def main() -> None:
    """Trains, tests, prints the result."""
    task = load_task()
    model = model_of(task.workload)
    optimizer = nnx.Optimizer(model, momentum_and_decay(task), wrt=nnx.Param)
    graph, state = nnx.split((model, optimizer))
    images, labels = jnp.asarray(task.train.images), jnp.asarray(task.train.labels)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, number):
        key = jax.random.fold_in(jax.random.key(0), number)
        rows = jax.random.randint(key, (task.settings.batch_size,), 0, len(labels))
        model, optimizer = nnx.merge(graph, state)
        _, grads = nnx.value_and_grad(loss_of)(model, images[rows], labels[rows])
        optimizer.update(model, grads)
        return nnx.state((model, optimizer))

    for number in range(task.settings.steps):
        state = step(state, number)

    @jax.jit
    def predicted(state, images):
        return nnx.merge(graph, state)[0](images).argmax(1)

    blocks = task.test.images.reshape(-1, 100, *task.test.images.shape[1:])
    found = jnp.concatenate([predicted(state, jnp.asarray(block)) for block in blocks])
    print_accuracy(float((found == task.test.labels).mean()))


if __name__ == "__main__":
    main()
