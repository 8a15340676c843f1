"""Other ways to compute what a chapter derives, where they are faster.

The chapters hold the equations and say which way is taken, by platform and shape, when a program
is lowered. A way is here because it was measured; its file says what.
"""

from ffnn_jax.layers.fast._native_conv import (
    Margins,
    native_conv2d,
    native_conv2d_images,
    native_conv2d_kernels,
)

__all__ = ["Margins", "native_conv2d", "native_conv2d_images", "native_conv2d_kernels"]
