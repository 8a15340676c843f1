"""Flax NNX as its tutorial has it: nnx.jit over the model, batches by Grain."""

# pyright: reportMissingImports=false

import itertools

import grain
import jax.numpy as jnp
from flax import nnx

from experiments.peers.flax_nnx import Model, loss_of
from experiments.whole._data import Part, say, task
from experiments.whole._optax import momentum_and_decay


def main() -> None:
    """Trains, tests, says the result."""
    given = task()
    model = Model(given.beginning)
    optimizer = nnx.Optimizer(model, momentum_and_decay(given), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, images, labels):
        loss, grads = nnx.value_and_grad(loss_of)(model, images, labels)
        optimizer.update(model, grads)
        return loss

    @nnx.jit
    def correct(model, images, labels):
        return (model(images).argmax(1) == labels).sum()

    batches = _batches(given.train, given.settings.batch_size, shuffle=True)
    for images, labels in itertools.islice(batches, given.settings.steps):
        step(model, optimizer, jnp.asarray(images), jnp.asarray(labels))
    tests = _batches(given.test, 100, shuffle=False)
    right = sum(int(correct(model, jnp.asarray(x), jnp.asarray(k))) for x, k in tests)
    say(right / len(given.test.labels))


def _batches(part: Part, batch: int, shuffle: bool):
    """Shuffled anew each time, without end; or each image once."""
    data = grain.MapDataset.source(range(len(part.labels)))
    data = data.shuffle(seed=0).repeat() if shuffle else data
    pairs = data.map(lambda row: (part.images[row], part.labels[row]))
    return iter(pairs.to_iter_dataset().batch(batch))


if __name__ == "__main__":
    main()
