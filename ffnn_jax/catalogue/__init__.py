"""The reference implementation and the known properties of each layer, one entry per layer."""

from ffnn_jax.catalogue._add import ADD
from ffnn_jax.catalogue._batch_norm import BATCH_NORM
from ffnn_jax.catalogue._batch_norm_inference import BATCH_NORM_INFERENCE
from ffnn_jax.catalogue._conv import CONV2D
from ffnn_jax.catalogue._dense import DENSE, DENSE_COLUMN
from ffnn_jax.catalogue._dropout import DROPOUT
from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._group_norm import GROUP_NORM, INSTANCE_NORM
from ffnn_jax.catalogue._layer_norm import LAYER_NORM
from ffnn_jax.catalogue._leaky_relu import LEAKY_RELU
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.catalogue._pool import MAX_POOL
from ffnn_jax.catalogue._relu import RELU
from ffnn_jax.catalogue._rms_norm import RMS_NORM
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
from ffnn_jax.catalogue._weight_standardisation import WEIGHT_STANDARDISATION

OP_SPECS: tuple[OpSpec, ...] = (
    DENSE_COLUMN,
    DENSE,
    RELU,
    SOFTMAX,
    SOFTMAX_CROSS_ENTROPY,
    CONV2D,
    MAX_POOL,
    LEAKY_RELU,
    SIGMOID,
    BATCH_NORM,
    BATCH_NORM_INFERENCE,
    DROPOUT,
    ADD,
    LAYER_NORM,
    GROUP_NORM,
    INSTANCE_NORM,
    RMS_NORM,
    WEIGHT_STANDARDISATION,
)

__all__ = [
    "ADD",
    "BATCH_NORM",
    "BATCH_NORM_INFERENCE",
    "CONV2D",
    "DENSE",
    "DENSE_COLUMN",
    "DROPOUT",
    "FAULT_CHECKS",
    "GROUP_NORM",
    "INSTANCE_NORM",
    "LAYER_NORM",
    "LEAKY_RELU",
    "MAX_POOL",
    "OP_SPECS",
    "RELU",
    "RMS_NORM",
    "SIGMOID",
    "SOFTMAX",
    "SOFTMAX_CROSS_ENTROPY",
    "WEIGHT_STANDARDISATION",
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
