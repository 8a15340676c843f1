"""Update rules on pytrees, with optax's ``init`` and ``update``."""

from ffnn_jax.optim._momentum import MomentumState, decay_loss, momentum

__all__ = ["MomentumState", "decay_loss", "momentum"]
