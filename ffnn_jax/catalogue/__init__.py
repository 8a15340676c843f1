"""The reference implementation and the known properties of each layer, one entry per layer."""

from ffnn_jax.catalogue._adaptive_pool import ADAPTIVE_AVG_POOL, GLOBAL_AVG_POOL
from ffnn_jax.catalogue._add import ADD
from ffnn_jax.catalogue._avg_pool import AVG_POOL
from ffnn_jax.catalogue._batch_norm import BATCH_NORM
from ffnn_jax.catalogue._batch_norm_inference import BATCH_NORM_INFERENCE
from ffnn_jax.catalogue._conv import CONV2D
from ffnn_jax.catalogue._dense import DENSE, DENSE_COLUMN
from ffnn_jax.catalogue._dropout import DROPOUT
from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._leaky_relu import LEAKY_RELU
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.catalogue._pool import MAX_POOL
from ffnn_jax.catalogue._relu import RELU
from ffnn_jax.catalogue._sigmoid import SIGMOID
from ffnn_jax.catalogue._softmax import SOFTMAX
from ffnn_jax.catalogue._softmax_loss import SOFTMAX_CROSS_ENTROPY
from ffnn_jax.catalogue._table import verification_table
from ffnn_jax.catalogue._verification import (
    FAULT_CHECKS,
    Verification,
    catch_fault,
    catch_faults,
    check_rule,
    count_false_alarms,
)

OP_SPECS: tuple[OpSpec, ...] = (
    DENSE_COLUMN,
    DENSE,
    RELU,
    SOFTMAX,
    SOFTMAX_CROSS_ENTROPY,
    CONV2D,
    MAX_POOL,
    AVG_POOL,
    GLOBAL_AVG_POOL,
    ADAPTIVE_AVG_POOL,
    LEAKY_RELU,
    SIGMOID,
    BATCH_NORM,
    BATCH_NORM_INFERENCE,
    DROPOUT,
    ADD,
)

__all__ = [
    "ADAPTIVE_AVG_POOL",
    "ADD",
    "AVG_POOL",
    "BATCH_NORM",
    "BATCH_NORM_INFERENCE",
    "CONV2D",
    "DENSE",
    "DENSE_COLUMN",
    "DROPOUT",
    "FAULT_CHECKS",
    "GLOBAL_AVG_POOL",
    "LEAKY_RELU",
    "MAX_POOL",
    "OP_SPECS",
    "RELU",
    "SIGMOID",
    "SOFTMAX",
    "SOFTMAX_CROSS_ENTROPY",
    "Case",
    "Fault",
    "OpSpec",
    "Verification",
    "catch_fault",
    "catch_faults",
    "check_rule",
    "count_false_alarms",
    "verification_table",
]
