"""Training: batches made on the device, one jitted step, the loop around it."""

from ffnn_jax.training._augment import augment, crop, cutout, flip
from ffnn_jax.training._batches import draw_distinct
from ffnn_jax.training._evaluate import predict_probabilities
from ffnn_jax.training._feed import fits_on_device
from ffnn_jax.training._gradients import loss_and_gradients
from ffnn_jax.training._inputs import (
    Block,
    ImageParts,
    Images,
    Normalisation,
    normalisation_of,
    normalise,
)
from ffnn_jax.training._loop import Keeper, Progress, Trained, train
from ffnn_jax.training._rows import Member
from ffnn_jax.training._snapshot import Record, Snapshot, snapshot_from
from ffnn_jax.training._split import Split, hold_out
from ffnn_jax.training._step import (
    ChunkMetrics,
    TrainState,
    initial_state,
    make_train_chunk,
    make_validate,
)
from ffnn_jax.training._stream import Stream

__all__ = [
    "Block",
    "ChunkMetrics",
    "ImageParts",
    "Images",
    "Keeper",
    "Member",
    "Normalisation",
    "Progress",
    "Record",
    "Snapshot",
    "Split",
    "Stream",
    "TrainState",
    "Trained",
    "augment",
    "crop",
    "cutout",
    "draw_distinct",
    "fits_on_device",
    "flip",
    "hold_out",
    "initial_state",
    "loss_and_gradients",
    "make_train_chunk",
    "make_validate",
    "normalisation_of",
    "normalise",
    "predict_probabilities",
    "snapshot_from",
    "train",
]
