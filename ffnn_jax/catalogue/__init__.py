"""The reference implementation and the known properties of each layer, one entry per layer."""

from ffnn_jax.catalogue._activations import (
    CELU,
    ELU,
    GEGLU,
    GELU,
    GELU_TANH,
    GLU,
    HARD_SIGMOID,
    HARD_SWISH,
    HARD_TANH,
    LOG_SOFTMAX,
    MISH,
    PRELU,
    RELU6,
    SELU,
    SILU,
    SOFTPLUS,
    SOFTSIGN,
    SWIGLU,
    TANH,
)
from ffnn_jax.catalogue._adaptive_pool import ADAPTIVE_AVG_POOL, GLOBAL_AVG_POOL
from ffnn_jax.catalogue._add import ADD
from ffnn_jax.catalogue._avg_pool import AVG_POOL
from ffnn_jax.catalogue._batch_norm import BATCH_NORM
from ffnn_jax.catalogue._batch_norm_inference import BATCH_NORM_INFERENCE
from ffnn_jax.catalogue._conv import CONV2D
from ffnn_jax.catalogue._conv1d import CONV1D
from ffnn_jax.catalogue._conv_transpose import CONV_TRANSPOSE2D
from ffnn_jax.catalogue._dense import DENSE, DENSE_COLUMN
from ffnn_jax.catalogue._dropout import DROPOUT
from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._form_proofs import FORMS, FormProof, prove_form
from ffnn_jax.catalogue._group_norm import GROUP_NORM, INSTANCE_NORM
from ffnn_jax.catalogue._layer_norm import LAYER_NORM
from ffnn_jax.catalogue._leaky_relu import LEAKY_RELU
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.catalogue._pad import PAD
from ffnn_jax.catalogue._pool import MAX_POOL
from ffnn_jax.catalogue._proof_table import (
    case_as_json,
    fault_as_json,
    form_as_json,
    proof_problems,
    proof_table,
)
from ffnn_jax.catalogue._proofs import CaseProof, beyond_algebra, disprove_fault, prove_rule
from ffnn_jax.catalogue._relu import RELU
from ffnn_jax.catalogue._rms_norm import RMS_NORM
from ffnn_jax.catalogue._scale import SCALE
from ffnn_jax.catalogue._sigmoid import SIGMOID
from ffnn_jax.catalogue._softmax import SOFTMAX
from ffnn_jax.catalogue._softmax_loss import SOFTMAX_CROSS_ENTROPY
from ffnn_jax.catalogue._table import verification_table
from ffnn_jax.catalogue._upsample import UPSAMPLE2D
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
    CONV1D,
    CONV_TRANSPOSE2D,
    MAX_POOL,
    AVG_POOL,
    GLOBAL_AVG_POOL,
    ADAPTIVE_AVG_POOL,
    LEAKY_RELU,
    SIGMOID,
    TANH,
    SOFTPLUS,
    SOFTSIGN,
    SILU,
    GELU,
    GELU_TANH,
    MISH,
    ELU,
    SELU,
    CELU,
    RELU6,
    HARD_TANH,
    HARD_SIGMOID,
    HARD_SWISH,
    PRELU,
    GLU,
    SWIGLU,
    GEGLU,
    LOG_SOFTMAX,
    BATCH_NORM,
    BATCH_NORM_INFERENCE,
    DROPOUT,
    ADD,
    UPSAMPLE2D,
    PAD,
    SCALE,
    LAYER_NORM,
    GROUP_NORM,
    INSTANCE_NORM,
    RMS_NORM,
    WEIGHT_STANDARDISATION,
)

__all__ = [
    "ADAPTIVE_AVG_POOL",
    "ADD",
    "AVG_POOL",
    "BATCH_NORM",
    "BATCH_NORM_INFERENCE",
    "CELU",
    "CONV1D",
    "CONV2D",
    "CONV_TRANSPOSE2D",
    "DENSE",
    "DENSE_COLUMN",
    "DROPOUT",
    "ELU",
    "FAULT_CHECKS",
    "FORMS",
    "GEGLU",
    "GELU",
    "GELU_TANH",
    "GLOBAL_AVG_POOL",
    "GLU",
    "GROUP_NORM",
    "HARD_SIGMOID",
    "HARD_SWISH",
    "HARD_TANH",
    "INSTANCE_NORM",
    "LAYER_NORM",
    "LEAKY_RELU",
    "LOG_SOFTMAX",
    "MAX_POOL",
    "MISH",
    "OP_SPECS",
    "PAD",
    "PRELU",
    "RELU",
    "RELU6",
    "RMS_NORM",
    "SCALE",
    "SELU",
    "SIGMOID",
    "SILU",
    "SOFTMAX",
    "SOFTMAX_CROSS_ENTROPY",
    "SOFTPLUS",
    "SOFTSIGN",
    "SWIGLU",
    "TANH",
    "UPSAMPLE2D",
    "WEIGHT_STANDARDISATION",
    "Case",
    "CaseProof",
    "Fault",
    "FormProof",
    "OpSpec",
    "Verification",
    "beyond_algebra",
    "case_as_json",
    "catch_fault",
    "catch_faults",
    "check_rule",
    "count_false_alarms",
    "disprove_fault",
    "fault_as_json",
    "form_as_json",
    "proof_problems",
    "proof_table",
    "prove_form",
    "prove_rule",
    "verification_table",
]
