"""Training: batches made on the device, one jitted step, the loop around it."""

from ffnn_jax.training._accuracy import make_validate
from ffnn_jax.training._augment import augment, crop, cutout, flip
from ffnn_jax.training._callbacks import Callbacks, Progress
from ffnn_jax.training._draws import draw_distinct, permuted
from ffnn_jax.training._gradients import loss_and_gradients, make_loss
from ffnn_jax.training._images import Block, ImageParts, Images
from ffnn_jax.training._loader import Stream, fits_on_device
from ffnn_jax.training._loop import Trained, train
from ffnn_jax.training._sampling import Member, Sampling, Split, hold_out
from ffnn_jax.training._snapshot import Record, Snapshot, snapshot_from
from ffnn_jax.training._step import (
    ChunkMetrics,
    TrainState,
    initial_state,
    make_train_chunk,
)

__all__ = [
    "Block",
    "Callbacks",
    "ChunkMetrics",
    "ImageParts",
    "Images",
    "Member",
    "Progress",
    "Record",
    "Sampling",
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
    "make_loss",
    "make_train_chunk",
    "make_validate",
    "permuted",
    "snapshot_from",
    "train",
]
