"""Training: batches drawn and normalised on the device, one jitted step, the loop around it."""

from ffnn_jax.training._batches import draw_distinct
from ffnn_jax.training._evaluate import predict_probabilities
from ffnn_jax.training._inputs import Images, Normalisation, normalisation_of, normalise
from ffnn_jax.training._loop import Progress, Record, Trained, train
from ffnn_jax.training._split import Split, hold_out
from ffnn_jax.training._step import (
    ChunkMetrics,
    Member,
    TrainState,
    initial_state,
    make_train_chunk,
    make_validate,
)

__all__ = [
    "ChunkMetrics",
    "Images",
    "Member",
    "Normalisation",
    "Progress",
    "Record",
    "Split",
    "TrainState",
    "Trained",
    "draw_distinct",
    "hold_out",
    "initial_state",
    "make_train_chunk",
    "make_validate",
    "normalisation_of",
    "normalise",
    "predict_probabilities",
    "train",
]
