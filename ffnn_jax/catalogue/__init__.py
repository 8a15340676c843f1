"""Our layers' plain definitions and what is known of them, once: one entry adds a layer."""

from ffnn_jax.catalogue import _plain as plain
from ffnn_jax.catalogue._conv import CONV2D
from ffnn_jax.catalogue._dense import DENSE, DENSE_COLUMN
from ffnn_jax.catalogue._entry import Case, Entry, Fault
from ffnn_jax.catalogue._leaky_relu import LEAKY_RELU
from ffnn_jax.catalogue._pool import MAX_POOL
from ffnn_jax.catalogue._proof import (
    FAULT_CHECKS,
    Proof,
    catch_faults,
    check_rule,
    count_false_alarms,
    prove,
)
from ffnn_jax.catalogue._relu import RELU
from ffnn_jax.catalogue._sigmoid import SIGMOID
from ffnn_jax.catalogue._softmax_loss import SOFTMAX, SOFTMAX_CROSS_ENTROPY

ENTRIES: tuple[Entry, ...] = (
    DENSE_COLUMN,
    DENSE,
    RELU,
    SOFTMAX,
    SOFTMAX_CROSS_ENTROPY,
    CONV2D,
    MAX_POOL,
    LEAKY_RELU,
    SIGMOID,
)

__all__ = [
    "ENTRIES",
    "FAULT_CHECKS",
    "Case",
    "Entry",
    "Fault",
    "Proof",
    "catch_faults",
    "check_rule",
    "count_false_alarms",
    "plain",
    "prove",
]
