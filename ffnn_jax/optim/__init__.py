"""Update rules on pytrees, with optax's ``init`` and ``update``."""

from ffnn_jax.optim._groups import scale_by_group
from ffnn_jax.optim._momentum import MomentumState, decay_loss, momentum
from ffnn_jax.optim._schedules import triangular

__all__ = ["MomentumState", "decay_loss", "momentum", "scale_by_group", "triangular"]
