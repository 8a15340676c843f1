"""The tagged equations of every chapter, each to be proved: docstring, table and code cannot drift.

A module here has the name of its chapter. Its tuple ``EQUATIONS`` says what both sides of each
equation stand for; ``WITHOUT_ALGEBRA`` says why the other tags have no proof.
"""

from types import ModuleType

from ffnn_jax.catalogue.equations import (
    _activations,
    _adaptive_pool,
    _add,
    _avg_pool,
    _batch_norm,
    _blocks,
    _conv,
    _conv1d,
    _conv_transpose,
    _dense,
    _depthwise_conv,
    _dropout,
    _gated_activations,
    _group_norm,
    _layer_norm,
    _leaky_relu,
    _log_softmax,
    _lookahead,
    _momentum,
    _muon,
    _native_conv,
    _nesterov,
    _pad,
    _pair_conv,
    _piecewise_activations,
    _pool,
    _relu,
    _rms_norm,
    _row_conv,
    _scale,
    _schedules,
    _sigmoid,
    _smooth_activations,
    _softmax_loss,
    _upsample,
    _weight_standardisation,
)
from ffnn_jax.catalogue.equations._equation import Equation

_TABLES = {
    "ffnn_jax.layers": (
        _dense, _relu, _softmax_loss, _conv, _conv1d, _conv_transpose, _pool, _avg_pool,
        _adaptive_pool, _activations, _leaky_relu, _sigmoid, _smooth_activations,
        _piecewise_activations, _gated_activations, _log_softmax, _batch_norm, _dropout, _add,
        _upsample, _pad, _scale, _layer_norm, _group_norm, _rms_norm, _weight_standardisation,
    ),
    "ffnn_jax.layers.fast": (_row_conv, _pair_conv, _native_conv, _depthwise_conv, _blocks),
    "ffnn_jax.optim": (_momentum, _nesterov, _muon, _lookahead, _schedules),
}  # fmt: skip


def _by_chapter() -> dict[str, ModuleType]:
    """The tables by the module name of their chapter."""
    pairs = ((package, table) for package, tables in _TABLES.items() for table in tables)
    return {f"{package}.{table.__name__.rpartition('.')[2]}": table for package, table in pairs}


EQUATIONS: dict[str, tuple[Equation, ...]] = {
    chapter: table.EQUATIONS for chapter, table in _by_chapter().items()
}
"""The equations of every chapter, by its module name."""

WITHOUT_ALGEBRA: dict[str, dict[str, str]] = {
    chapter: getattr(table, "WITHOUT_ALGEBRA", {}) for chapter, table in _by_chapter().items()
}
"""The tags of every chapter that state no equation between real numbers, and why."""

__all__ = ["EQUATIONS", "WITHOUT_ALGEBRA", "Equation"]
