"""Batch normalisation as a layer: its state is the running mean and variance."""

import dataclasses
import math
from typing import Any, ClassVar

from ffnn_jax._base_config import require, require_number
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Constant, Param, Shape, Tree

__all__ = ["BatchNorm"]


@dataclasses.dataclass(frozen=True)
class BatchNorm(Layer):
    """Normalises each channel (last axis) by batch statistics, in prediction by running statistics.

    Each batch updates a running statistic to ``momentum`` times its value plus ``1 - momentum``
    times that of the batch. The running variance averages biased variances, as in Flax (PyTorch
    corrects each by n / (n - 1)). Weight decay does not apply to scale and shift.

    Attributes:
        momentum: at least 0 and below 1; PyTorch's momentum is 1 minus this.
        eps: added to the variance under the square root; above 0.
    """

    title: ClassVar[str] = "Batch normalisation"
    mixes_batch: ClassVar[bool] = True
    momentum: float = 0.9
    eps: float = 1e-5

    def __post_init__(self) -> None:
        """Rejects values out of range."""
        require_number(self, "momentum", 0, 1)
        require_number(self, "eps", 0, math.inf)
        require(self, "eps", self.eps > 0, "above 0")

    def params(self, shape: Shape) -> Tree:
        """Scale (C), initialised to 1, and shift (C), initialised to 0."""
        return {
            "scale": Param(shape[-1:], Constant(1.0), decayed=False),
            "shift": Param(shape[-1:], Constant(0.0), decayed=False),
        }

    def state(self, shape: Shape) -> Tree:
        """The running mean (C), initialised to 0, and variance (C), initialised to 1."""
        return {
            "mean": Param(shape[-1:], Constant(0.0)),
            "variance": Param(shape[-1:], Constant(1.0)),
        }

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """Equations (norm.1)-(norm.3); in prediction with the running statistics."""
        from ffnn_jax.layers import batch_norm, batch_norm_inference

        scale, shift = params["scale"], params["shift"]
        if not training:
            running = state["mean"], state["variance"]
            return batch_norm_inference(x, *running, scale, shift, self.eps), state
        z, mean, variance = batch_norm(x, scale, shift, self.eps)
        batch = {"mean": mean, "variance": variance}
        return z, {name: self._updated(state[name], batch[name]) for name in state}

    def _updated(self, running: Any, batch: Any) -> Any:
        """A running statistic after a batch; no gradient flows through it."""
        from jax.lax import stop_gradient

        batch = stop_gradient(batch).astype(running.dtype)
        return self.momentum * running + (1 - self.momentum) * batch
