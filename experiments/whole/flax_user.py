"""Flax NNX as in its tutorial: nnx.jit over the model, batches by Grain."""

# pyright: reportMissingImports=false

import itertools

import grain
import jax.numpy as jnp
from flax import nnx

from experiments.peers.flax_nnx import loss_of, model_of
from experiments.whole._data import Part, load_task, print_accuracy
from experiments.whole._optax import momentum_and_decay


def main() -> None:
    """Trains, tests, prints the result."""
    task = load_task()
    model = model_of(task.workload)
    optimizer = nnx.Optimizer(model, momentum_and_decay(task), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, images, labels):
        loss, grads = nnx.value_and_grad(loss_of)(model, images, labels)
        optimizer.update(model, grads)
        return loss

    @nnx.jit
    def correct(model, images, labels):
        return (model(images).argmax(1) == labels).sum()

    batches = _batches(task.train, task.settings.batch_size, shuffle=True)
    for images, labels in itertools.islice(batches, task.settings.steps):
        step(model, optimizer, jnp.asarray(images), jnp.asarray(labels))
    tests = _batches(task.test, 100, shuffle=False)
    right = sum(int(correct(model, jnp.asarray(x), jnp.asarray(k))) for x, k in tests)
    print_accuracy(right / len(task.test.labels))


def _batches(part: Part, batch: int, shuffle: bool):
    """Endless batches, reshuffled every epoch; or each image once."""
    data = grain.MapDataset.source(range(len(part.labels)))
    data = data.shuffle(seed=0).repeat() if shuffle else data
    pairs = data.map(lambda row: (part.images[row], part.labels[row]))
    return iter(pairs.to_iter_dataset().batch(batch))


if __name__ == "__main__":
    main()
