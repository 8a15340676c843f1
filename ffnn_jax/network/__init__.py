"""Layers made into a network: ``init``, ``apply`` and ``summary``, and what its inputs are."""

from ffnn_jax.network._contract import require_kept_contract
from ffnn_jax.network._network import Network, Params, State
from ffnn_jax.network._normalisation import Normalisation, normalisation_of, normalise
from ffnn_jax.network._summary import Summary, SummaryRow
from ffnn_jax.network._trees import by_path, merged, parted

__all__ = [
    "Network",
    "Normalisation",
    "Params",
    "State",
    "Summary",
    "SummaryRow",
    "by_path",
    "merged",
    "normalisation_of",
    "normalise",
    "parted",
    "require_kept_contract",
]
