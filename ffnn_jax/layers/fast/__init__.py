"""Other ways to compute what a chapter derives, for platforms that have a better one.

The chapters hold the equations and say which way is taken when a program is lowered.
"""

from ffnn_jax.layers.fast._native_conv import (
    native_conv2d,
    native_conv2d_images,
    native_conv2d_kernels,
)
from ffnn_jax.layers.fast._pair_conv import pair_conv2d, pair_conv2d_kernels, pairs_fit
from ffnn_jax.layers.fast._row_conv import row_conv2d, row_conv2d_backward, rows_are_lighter

__all__ = [
    "native_conv2d",
    "native_conv2d_images",
    "native_conv2d_kernels",
    "pair_conv2d",
    "pair_conv2d_kernels",
    "pairs_fit",
    "row_conv2d",
    "row_conv2d_backward",
    "rows_are_lighter",
]
