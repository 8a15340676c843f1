"""Faster forms of what a chapter derives, and the choice among them.

A chapter passes its equation form, and computes with the best form for the platform.
"""

from ffnn_jax.layers.fast._choice import ConvForm, blocks, by_platform, form_on_cpu
from ffnn_jax.layers.fast._forms import (
    ACCELERATOR,
    MICRO_BATCH,
    NAMES,
    Map,
    Table,
    class_of,
    compiler_options,
    forms,
    largest_micro_batch,
)
from ffnn_jax.layers.fast._tables import TABLES, kind_of

__all__ = [
    "ACCELERATOR", "MICRO_BATCH", "NAMES", "TABLES", "ConvForm", "Map", "Table", "blocks",
    "by_platform", "class_of", "compiler_options", "form_on_cpu", "forms", "kind_of",
    "largest_micro_batch",
]  # fmt: skip
