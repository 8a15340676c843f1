"""Batch normalisation as a layer: its state is the running mean and variance."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import require, require_number, require_positive_integers
from ffnn_jax._errors import UserError
from ffnn_jax.nn._norm import Normalisation
from ffnn_jax.nn._param import Constant, Param, Shape, Tree

__all__ = ["BatchNorm"]


@dataclasses.dataclass(frozen=True)
class BatchNorm(Normalisation):
    """Normalises each channel (last axis) by batch statistics, in prediction by running statistics.

    Each batch updates a running statistic to ``momentum`` times its value plus ``1 - momentum``
    times that of the batch. The running variance averages biased variances, as in Flax (PyTorch
    corrects each by n / (n - 1)). Weight decay does not apply to scale and shift.

    Attributes:
        momentum: at least 0 and below 1; PyTorch's momentum is 1 minus this.
        eps: added to the variance under the square root; above 0.
        scale: whether there is a scale; without one it is 1.
        ghost_size: in training, every ``ghost_size`` consecutive images are a batch of their own,
            and running statistics take the mean of theirs; None for the whole batch.
    """

    title: ClassVar[str] = "Batch normalisation"
    mixes_batch: ClassVar[bool] = True
    momentum: float = 0.9
    eps: float = 1e-5
    scale: bool = True
    ghost_size: int | None = None

    def __post_init__(self) -> None:
        """Rejects values out of range."""
        super().__post_init__()
        require_number(self, "momentum", 0, 1)
        require(self, "scale", isinstance(self.scale, bool), "True or False")
        if self.ghost_size is not None:
            require_positive_integers(self, "ghost_size")

    def params(self, shape: Shape) -> Tree:
        """Scale (C), initialised to 1, unless left out, and shift (C), initialised to 0."""
        params = super().params(shape)
        return params if self.scale else {"shift": params["shift"]}

    def state(self, shape: Shape) -> Tree:
        """The running mean (C), initialised to 0, and variance (C), initialised to 1."""
        return {"mean": Param(shape[-1:]), "variance": Param(shape[-1:], Constant(1.0))}

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """Equations (norm.1)-(norm.3); in prediction with the running statistics."""
        from jax.numpy import ones_like

        from ffnn_jax.layers import batch_norm_inference

        shift = params["shift"]
        scale = params["scale"] if self.scale else ones_like(shift)
        if not training:
            running = state["mean"], state["variance"]
            return batch_norm_inference(x, *running, scale, shift, self.eps), state
        z, mean, variance = self._normalised(x, scale, shift)
        batch = {"mean": mean, "variance": variance}
        return z, {name: self._updated(state[name], batch[name]) for name in state}

    def _normalised(self, x: Any, scale: Any, shift: Any) -> tuple[Any, Any, Any]:
        """z, mean and variance; of ghosts, the mean of their statistics."""
        from jax import vmap

        from ffnn_jax.layers import batch_norm

        if self.ghost_size is None:
            return batch_norm(x, scale, shift, self.eps)
        if len(x) % self.ghost_size:
            raise UserError(f"{self}: ghost_size must divide the batch of {len(x)} images")
        ghosts = x.reshape(-1, self.ghost_size, *x.shape[1:])
        z, mean, variance = vmap(lambda each: batch_norm(each, scale, shift, self.eps))(ghosts)
        return z.reshape(x.shape), mean.mean(0), variance.mean(0)

    def _updated(self, running: Any, batch: Any) -> Any:
        """A running statistic after a batch; no gradient flows through it."""
        from jax.lax import stop_gradient

        batch = stop_gradient(batch).astype(running.dtype)
        return self.momentum * running + (1 - self.momentum) * batch
