"""Other ways to compute what a chapter derives, for platforms that have a better one.

The chapters hold the equations and say which way is taken when a program is lowered.
"""

from ffnn_jax.layers.fast._native_conv import (
    Margins,
    native_conv2d,
    native_conv2d_images,
    native_conv2d_kernels,
)
from ffnn_jax.layers.fast._row_conv import row_conv2d, row_conv2d_backward, rows_are_lighter

__all__ = [
    "Margins",
    "native_conv2d",
    "native_conv2d_images",
    "native_conv2d_kernels",
    "row_conv2d",
    "row_conv2d_backward",
    "rows_are_lighter",
]
