"""Ends a run whose numbers become infinite or NaN, naming the seed, the step, and the first array.

The steps since the last finite state are repeated one at a time by the same program, so on a CPU
they give the same bits; the failing step is then examined array by array.
"""

import dataclasses
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from ffnn_jax.config import DivergedError, Settings
from ffnn_jax.network import Network, by_path, partition
from ffnn_jax.optim import decay_loss
from ffnn_jax.training._gradients import Batch, cast_inputs, loss_and_gradients, make_loss
from ffnn_jax.training._loader import Loader
from ffnn_jax.training._sampling import Sampling, SeedData
from ffnn_jax.training._step import ChunkMetrics, TrainState, inputs_at
from ffnn_jax.training._trainer import Trainer

_JAX = Path(jax.__file__).parent


@dataclasses.dataclass
class NanCheck:
    """Runs the seeds' steps as long as every number is finite.

    ``states`` are copies of the seeds' last finite ones; ``find_operation`` tells whether to
    also find the operation that produced the first number that is not.
    """

    network: Network
    optimizer: optax.GradientTransformation
    settings: Settings
    loader: Loader
    seeds_data: Sequence[SeedData]
    states: Sequence[TrainState]
    find_operation: bool

    def run_steps(self, trainer: Trainer, step: int, stop: int) -> list[ChunkMetrics]:
        """Runs the steps after ``step`` up to ``stop``; returns each seed's metrics."""
        with jax.debug_nans(False), jax.debug_infs(False):  # jax names neither seed nor step
            metrics, after = trainer.run_steps(step, stop), trainer.copies()
            if not _are_finite(*metrics, *after):
                raise DivergedError(self._first_failure(trainer, step, stop))
        self.states = after
        return jax.tree.map(lambda values: values[: stop - step], metrics)

    def _first_failure(self, trainer: Trainer, step: int, stop: int) -> str:
        """The message about the first step that fails."""
        for now in range(step, stop):
            trainer.restore(self.states)
            metrics, after = trainer.run_steps(now, now + 1), trainer.copies()
            for index, one in enumerate(zip(metrics, after, strict=True)):
                if not _are_finite(*one):
                    return self._message(index, now)
            self.states = after
        return f"steps {step + 1} to {stop} gave non-finite numbers once, but not when repeated"

    def _message(self, index: int, step: int) -> str:
        state, seed_data = jax.device_put(self.states[index]), self.seeds_data[index]
        settings, source = self.settings, self.loader.training(index, step)
        sampling, count = Sampling(settings.batch_size, settings.sampling), len(seed_data.train)
        size = (sampling.is_last(step, count) and sampling.partial_size(count)) or sampling.size
        batch = jax.jit(inputs_at, static_argnums=(0, 4, 5, 6))(
            self.network, source, seed_data, state.step, sampling, settings.augmentations, size
        )
        where = f"seed {settings.seed + index}, step {step + 1}: "
        message = next(
            self._bad_arrays(state, batch),
            "every array of this step is finite when repeated operation by operation",
        )
        if self.find_operation:
            message += f"; {self._operation(state, batch)}"
        return where + message

    def _bad_arrays(self, state: TrainState, batch: Batch) -> Iterator[str]:
        """One message per non-finite array of the step, in order of computation."""
        for name, array in self._arrays(state, batch):
            bad = array.size - np.isfinite(array).sum()
            if bad:
                hint = "" if array is batch[0] else "; a lower learning rate may help"
                yield f"{name} has {bad:,} of {array.size:,} numbers not finite{hint}"

    def _arrays(self, state: TrainState, batch: Batch) -> Iterator[tuple[str, Array]]:
        x, _, keys = batch
        yield "the batch of images", x
        x = cast_inputs(x, self.settings.precision)
        outputs = self.network.outputs(state.params, state.state, x, training=True, key=keys)
        for layer, z in outputs.items():
            yield f"the output of {layer}", z
        loss, after, grads, trained = self._gradients(state, batch)
        yield "the loss", loss
        decayed = self.network.trained_param_attribute("decayed")
        yield "weight decay's loss", decay_loss(trained, self.settings.weight_decay, decayed)
        for layer in reversed(outputs):
            for name, grad in by_path(grads.get(layer, {})).items():
                yield f"the gradient of {layer}/{name}", grad
        updates, opt_state = self.optimizer.update(grads, state.opt_state, trained)
        params = optax.apply_updates(trained, updates)
        changed = {"opt_state": opt_state, "params": params, "state": after}
        for name, array in by_path(changed).items():
            yield f"{name} after the step", array

    def _gradients(self, state: TrainState, batch: Batch) -> tuple[Array, Any, Any, Any]:
        """The loss, the layers' state after the batch, gradients, and trained parameters."""
        loss_of = make_loss(self.network, self.settings.precision, self.settings.label_smoothing)
        trained, frozen = partition(state.params, self.network.param_attribute("trained"))
        loss, _, after, grads = loss_and_gradients(
            loss_of, trained, frozen, state.state, batch, self.network.allows_micro_batches
        )
        return loss, after, grads, trained

    def _operation(self, state: TrainState, batch: Batch) -> str:
        """The first operation of the step that gives a non-finite number, and its line."""
        try:
            with jax.debug_nans(True), jax.debug_infs(True), jax.disable_jit():
                _, _, grads, trained = self._gradients(state, batch)
                self.optimizer.update(grads, state.opt_state, trained)
        except FloatingPointError as error:
            frames = traceback.extract_tb(error.__traceback__)
            *_, own = (f for f in frames if not Path(f.filename).is_relative_to(_JAX))
            return f"{str(error).splitlines()[0]} ({own.filename}:{own.lineno})"
        return "no single operation gives such a number"


@jax.jit
def _all_finite(tree: Any) -> Array:
    checks = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]
    return jnp.stack(checks).all()


def _are_finite(*trees: Any) -> bool:
    """Whether all numbers are finite, checked on the device, tree by tree."""
    return all(bool(_all_finite(tree)) for tree in trees)
