"""Faster forms of what a chapter derives, and the choice among them.

A chapter passes its equation form, and gets the best form for the platform.
"""

from ffnn_jax.layers.fast._choice import ConvForm, convolve, convolve_backward
from ffnn_jax.layers.fast._native_conv import native_conv2d, native_conv2d_backward
from ffnn_jax.layers.fast._pair_conv import pair_conv2d, pair_conv2d_kernels, pairs_fit
from ffnn_jax.layers.fast._row_conv import row_conv2d, row_conv2d_backward, rows_are_lighter

__all__ = [
    "ConvForm",
    "convolve",
    "convolve_backward",
    "native_conv2d",
    "native_conv2d_backward",
    "pair_conv2d",
    "pair_conv2d_kernels",
    "pairs_fit",
    "row_conv2d",
    "row_conv2d_backward",
    "rows_are_lighter",
]
