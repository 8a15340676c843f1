"""Normalisations as layers, by a variance to which ``eps``, above 0, is added.

Their scale and shift of each channel, initialised to 1 and 0, are not decayed.
"""

import dataclasses
import functools
from typing import Any

from ffnn_jax._base_config import Above0, Below1, Count, CountOrNone, Flag
from ffnn_jax.nn._layer import Layer, Operation, require_input
from ffnn_jax.nn._param import Constant, Param, Shape, Tree, channelwise

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


@dataclasses.dataclass(frozen=True)
class _Normalisation(Operation, scale=1.0, shift=0.0):
    eps: Above0 = 1e-5


class LayerNorm(_Normalisation, title="Layer normalisation", operation="layer_norm"):
    """Normalises each position over its channels (last axis)."""


class RMSNorm(_Normalisation, title="RMS normalisation", operation="rms_norm", scale=1.0):
    """Divides each position by the root mean square of its channels; without a shift."""


class InstanceNorm(_Normalisation, title="Instance normalisation", operation="instance_norm"):
    """Normalises each channel of each image over its pixels."""

    def output_shape(self, shape: Shape) -> Shape:
        require_input(self, len(shape) >= 2, "needs pixels to normalise over (..., channels)")
        return shape


@dataclasses.dataclass(frozen=True)
class GroupNorm(
    Operation, title="Group normalisation", operation="group_norm", scale=1.0, shift=0.0
):
    """Normalises each image over its pixels and ``groups`` groups of neighbouring channels."""

    groups: Count = 32
    eps: Above0 = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        divide = shape != () and shape[-1] % self.groups == 0
        require_input(self, divide, "groups must divide the number of channels")
        return shape


@dataclasses.dataclass(frozen=True)
class BatchNorm(Layer):
    """Normalises each channel (last axis) by batch statistics, in prediction by running statistics.

    Each batch updates a running statistic to ``momentum`` times its value plus ``1 - momentum``
    times that of the batch (PyTorch's momentum is 1 minus this). The running variance averages
    biased variances, as in Flax (PyTorch corrects each by n / (n - 1)); ``eps`` is added to it
    under the square root. If ``scale`` is False, the scale is 1. Parameters are of group "norm".

    With ``ghost_size``, in training every so many consecutive images are a batch of their own, and
    running statistics take the mean of theirs.
    """

    title = "Batch normalisation"
    mixes_batch = True
    momentum: Below1 = 0.9
    eps: Above0 = 1e-5
    scale: Flag = True
    ghost_size: CountOrNone = None

    def params(self, shape: Shape) -> Tree:
        scale = {"scale": 1.0} if self.scale else {}
        return channelwise(shape, "norm", **scale, shift=0.0)

    def state(self, shape: Shape) -> Tree:
        """The running mean (C), initialised to 0, and variance (C), initialised to 1."""
        return {"mean": Param(shape[-1:]), "variance": Param(shape[-1:], Constant(1.0))}

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """Equations (norm.1)-(norm.3); in prediction with the running statistics."""
        import jax

        from ffnn_jax.layers import batch_norm, batch_norm_inference

        shift = params["shift"]
        scale = params["scale"] if self.scale else jax.numpy.ones_like(shift)
        if not training:
            running = state["mean"], state["variance"]
            return batch_norm_inference(x, *running, scale, shift, self.eps), state
        normalised = functools.partial(batch_norm, scale=scale, shift=shift, eps=self.eps)
        if self.ghost_size is None:
            z, mean, variance = normalised(x)
        else:
            message = f"ghost_size must divide the batch of {len(x)} images"
            require_input(self, len(x) % self.ghost_size == 0, message)
            ghosts = x.reshape(-1, self.ghost_size, *x.shape[1:])
            z, means, variances = jax.vmap(normalised)(ghosts)
            z, mean, variance = z.reshape(x.shape), means.mean(0), variances.mean(0)
        new = jax.lax.stop_gradient({"mean": mean, "variance": variance})
        return z, {name: self._updated(state[name], new[name]) for name in state}

    def _updated(self, running: Any, batch: Any) -> Any:
        return self.momentum * running + (1 - self.momentum) * batch.astype(running.dtype)
