"""Running a pure step under JAX: call by call, or many steps as one program."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from experiments.peers._workload import Arrays, Workload

Step = Callable[[Any, Array, Array], tuple[Any, Array]]
"""(state, images, labels) to (state, loss)."""
Options = dict[str, str] | None
"""How XLA compiles it."""


class InLoop:
    """The jitted step, called from Python; the state is donated.

    Attributes:
        state: the state after the last step.
    """

    def __init__(self, step: Step, state: Any, workload: Workload, options: Options = None) -> None:
        self._step = jax.jit(step, donate_argnums=0, compiler_options=options)
        self.state = jax.tree.map(jnp.copy, state)
        self._batches = [tuple(map(jnp.asarray, batch)) for batch in workload.batches()]

    def run(self) -> list[float]:
        """Dispatches every step before reading the first loss."""
        losses = []
        for batch in self._batches:
            self.state, loss = self._step(self.state, *batch)
            losses.append(loss)
        return [float(loss) for loss in losses]


class InScan:
    """All steps as one compiled scan.

    Attributes:
        state: the state after the last step.
    """

    def __init__(self, step: Step, state: Any, workload: Workload, options: Options = None) -> None:
        self._batches = tuple(map(jnp.stack, zip(*workload.batches(), strict=True)))
        self.state = jax.tree.map(jnp.copy, state)

        def chunk(state: Any, batches: tuple[Array, Array]) -> tuple[Any, Array]:
            return jax.lax.scan(lambda state, batch: step(state, *batch), state, batches)

        self._chunk = jax.jit(chunk, donate_argnums=0, compiler_options=options)

    def compiled(self) -> str:
        """The compiled program as XLA text."""
        return self._chunk.lower(self.state, self._batches).compile().as_text() or ""

    def run(self) -> list[float]:
        """Runs all steps in one call."""
        self.state, losses = self._chunk(self.state, self._batches)
        return losses.tolist()


def on_device(arrays: Arrays) -> dict[str, Array]:
    """A layer's arrays as those of JAX."""
    return {name: jnp.asarray(array) for name, array in arrays.items()}
