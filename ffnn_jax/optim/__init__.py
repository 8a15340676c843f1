"""Update rules on pytrees, with optax's ``init`` and ``update``."""

from ffnn_jax.optim._groups import scale_by_group, train_for
from ffnn_jax.optim._lookahead import Lookahead
from ffnn_jax.optim._momentum import MomentumState, decay_loss, momentum
from ffnn_jax.optim._muon import muon
from ffnn_jax.optim._nesterov import nesterov
from ffnn_jax.optim._schedules import piecewise_linear, triangular

__all__ = [
    "Lookahead", "MomentumState", "decay_loss", "momentum", "muon", "nesterov", "piecewise_linear",
    "scale_by_group", "train_for", "triangular",
]  # fmt: skip
