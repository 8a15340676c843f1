"""Networks of layers: ``init``, ``apply`` and ``summary``, and normalisation of the inputs."""

from ffnn_jax.network._costs import Cost, CostMeter
from ffnn_jax.network._initialisation import by_path, combine, partition
from ffnn_jax.network._network import Network, Params, State, require_kept_contract
from ffnn_jax.network._normalisation import Normalisation, compute_normalisation, normalise
from ffnn_jax.network._summary import Summary, SummaryRow

__all__ = [
    "Cost", "CostMeter", "Network", "Normalisation", "Params", "State", "Summary", "SummaryRow",
    "by_path", "combine", "compute_normalisation", "normalise", "partition",
    "require_kept_contract",
]  # fmt: skip
