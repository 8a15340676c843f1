"""The plain definition of a convolution at given pads, which the convolutions' tables share."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._conv import reference_conv2d
from ffnn_jax.layers._geometry import Pads, Windows


class Convolution(NamedTuple):
    """The settings of a convolution."""

    pads: Pads
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def windows(self) -> Windows:
        """The settings as the layers have them."""
        return Windows(*self)

    def padded(self, x: Array) -> Array:
        """The array x~."""
        return jnp.pad(x, ((0, 0), *self.pads, (0, 0)))

    def of_padded(self, x: Array, w: Array, b: Array) -> Array:
        """The definition, of x~."""
        return reference_conv2d(x, w, b, 0, *self[1:])

    def of(self, x: Array, w: Array, b: Array) -> Array:
        """The definition, of x."""
        return self.of_padded(self.padded(x), w, b)


def matrix(array: Array, axes: int) -> Array:
    """An array whose first axes are the rows, and whose others are the columns, of a matrix."""
    return array.reshape(int(np.prod(array.shape[:axes])), -1)
