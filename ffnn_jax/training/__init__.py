"""Training: batches drawn on the device, one jitted step, and the loop around it."""

from ffnn_jax.training._augment import alternating_flip, augment, crop, cutout, flip
from ffnn_jax.training._draws import permute, sample_without_replacement
from ffnn_jax.training._gradients import loss_and_gradients, make_loss
from ffnn_jax.training._images import Chunk, HostImages, Images
from ffnn_jax.training._loader import Stream, fits_on_device
from ffnn_jax.training._loop import TrainingResult, train
from ffnn_jax.training._placement import devices_per_seed, places
from ffnn_jax.training._sampling import Sampling, SeedData, Split, split_validation
from ffnn_jax.training._snapshot import Callbacks, Progress, Record, Snapshot, snapshot_from
from ffnn_jax.training._step import ChunkMetrics, TrainState, initial_state, make_train_chunk
from ffnn_jax.training._trainer import is_one_program, make_validation

__all__ = [
    "Callbacks", "Chunk", "ChunkMetrics", "HostImages", "Images", "Progress", "Record", "Sampling",
    "SeedData", "Snapshot", "Split", "Stream", "TrainState", "TrainingResult", "alternating_flip",
    "augment", "crop", "cutout", "devices_per_seed", "fits_on_device", "flip", "initial_state",
    "is_one_program", "loss_and_gradients", "make_loss", "make_train_chunk", "make_validation",
    "permute", "places", "sample_without_replacement", "snapshot_from", "split_validation", "train",
]  # fmt: skip
