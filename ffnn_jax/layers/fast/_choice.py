"""Chooses the form of a convolution: by shapes on a CPU, the platform's own elsewhere.

On a CPU a layer uses whole rows of pixels where their matrices are smaller
(``rows_are_lighter``), pairs of outputs where the outputs can be paired (``pairs_fit``), and
otherwise the equation form, which its chapter passes. On a GPU or TPU, XLA's own convolution is
used. The choice is made when a program is lowered; tests check that all forms are the same rule.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
from jaxtyping import Array, Float

from ffnn_jax.layers._geometry import Pads, Shape, output_size, pads_of_dz
from ffnn_jax.layers._patches import rotated_180
from ffnn_jax.layers.fast._native_conv import native_conv2d, native_conv2d_backward
from ffnn_jax.layers.fast._pair_conv import pair_conv2d, pair_conv2d_kernels, pairs_fit
from ffnn_jax.layers.fast._row_conv import row_conv2d, row_conv2d_backward, rows_are_lighter

_Out = TypeVar("_Out")


class ConvForm(NamedTuple):
    """One form of the convolution, without the bias.

    Attributes:
        name: name of the form.
        forward: function from (x, w, pads, stride) to the sum of (conv.1).
        backward: function from (x, w, dz, pads, stride) to the cotangents (dx, dw).
    """

    name: str
    forward: Callable[..., Array]
    backward: Callable[..., tuple[Array, Array]]


ROWS = ConvForm("rows", row_conv2d, row_conv2d_backward)
NATIVE = ConvForm("native", native_conv2d, native_conv2d_backward)


def convolve(
    im2col: ConvForm,
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    pads: Pads,
    stride: int,
) -> Float[Array, "N H_out W_out C_out"]:
    """The sum of (conv.1), without b, in the accumulation dtype.

    Args:
        im2col: the chapter's equation form.
        x: the images.
        w: the kernels, in x's dtype.
        pads: the zeros on each side of x.
        stride: step between windows.
    """
    cpu = form_on_cpu(im2col, x.shape, w.shape, pads, stride)
    return _by_platform(cpu.forward, NATIVE.forward, pads, stride)(x, w)


def convolve_backward(
    im2col: ConvForm,
    x: Float[Array, "N H W C_in"],
    w: Float[Array, "KH KW C_in C_out"],
    dz: Float[Array, "N H_out W_out C_out"],
    pads: Pads,
    stride: int,
) -> tuple[Float[Array, "N H W C_in"], Float[Array, "KH KW C_in C_out"]]:
    """Returns (dx, dw) of ``convolve`` for the cotangent dz, in the accumulation dtype."""
    cpu = form_on_cpu(im2col, x.shape, w.shape, pads, stride)
    return _by_platform(cpu.backward, NATIVE.backward, pads, stride)(x, w, dz)


def form_on_cpu(im2col: ConvForm, x: Shape, w: Shape, pads: Pads, stride: int) -> ConvForm:
    """The form used on a CPU, given the shapes of images and kernels."""
    if rows_are_lighter(w):
        return ROWS
    columns = output_size(x[2], w[1], pads[1], stride)
    return pairs(im2col) if pairs_fit(columns, w, stride) else im2col


def pairs(im2col: ConvForm) -> ConvForm:
    """The form by pairs of outputs, with stride 1; dx uses the form that its own shapes select."""

    def forward(x: Array, w: Array, pads: Pads, stride: int) -> Array:
        return pair_conv2d(x, w, pads)

    def backward(x: Array, w: Array, dz: Array, pads: Pads, stride: int) -> tuple[Array, Array]:
        dw = pair_conv2d_kernels(x, dz, w.shape[:2], pads)  # (conv.4)
        dz_pads, kernel = pads_of_dz(dz.shape, x.shape, w.shape, pads, 1), rotated_180(w)
        form = form_on_cpu(im2col, dz.shape, kernel.shape, dz_pads, 1)
        return form.forward(dz, kernel, dz_pads, 1), dw  # (conv.7), (conv.8)

    return ConvForm("pairs", forward, backward)


def _by_platform(
    cpu: Callable[..., _Out], default: Callable[..., _Out], pads: Pads, stride: int
) -> Callable[..., _Out]:
    """Selects one of two functions when a program is lowered for a platform."""
    static = {"pads": pads, "stride": stride}
    forms = {
        "cpu": functools.partial(cpu, **static),
        "default": functools.partial(default, **static),
    }
    return functools.partial(jax.lax.platform_dependent, **forms)
