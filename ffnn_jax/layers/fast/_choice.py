"""Chooses the form of a convolution: by shapes on a CPU, the platform's own elsewhere.

On a CPU a convolution uses whole rows of pixels where their matrices are smaller
(``rows_are_lighter``), pairs of outputs where the outputs can be paired (``pairs_fit``), shifted
images where it is depthwise (``is_depthwise``), and otherwise the equation form, which its chapter
passes; a large batch goes by blocks of images. A table of measured forms overrides this, map by map
(``_forms``), where stride, dilation and groups are 1. On a GPU or TPU, XLA's own convolution is
used. The choice is made when a program is traced and lowered; tests check that all forms are the
same rule.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
from jaxtyping import Array

from ffnn_jax.layers._geometry import Shape, Windows, output_size, pads_of_dz
from ffnn_jax.layers._patches import rotated_180
from ffnn_jax.layers.fast import _depthwise_conv as depthwise
from ffnn_jax.layers.fast import _native_conv as native
from ffnn_jax.layers.fast import _row_conv as rows
from ffnn_jax.layers.fast._blocks import images_in_a_block, map_blocks, sum_blocks
from ffnn_jax.layers.fast._forms import ACCELERATOR, Map, class_of, forms
from ffnn_jax.layers.fast._pair_conv import pair_conv2d, pair_conv2d_kernels, pairs_fit

_Out = TypeVar("_Out")
Abstract = Array | jax.ShapeDtypeStruct


class ConvForm(NamedTuple):
    """One form of the convolution, without the bias: three maps, each linear in two arrays.

    Attributes:
        name: name of the form.
        forward: function from (x, w, windows) to the sum of (conv.1).
        images: function from (dz, w, size, windows) to dx, images of this height and width.
        kernels: function from (x, dz, size, windows) to dw, kernels of this height and width.
    """

    name: str
    forward: Callable[[Array, Array, Windows], Array]
    images: Callable[[Array, Array, Shape, Windows], Array]
    kernels: Callable[[Array, Array, Shape, Windows], Array]


ROWS = ConvForm("rows", rows.row_conv2d, rows.row_conv2d_images, rows.row_conv2d_kernels)
NATIVE = ConvForm("native", *native.NATIVE)
STANDARD = ConvForm("native", *native.STANDARD)
DEPTHWISE = ConvForm("depthwise", *depthwise.DEPTHWISE)


def by_platform(
    cpu: ConvForm, im2col: ConvForm, compute: Callable[..., _Out], *arrays: Array
) -> _Out:
    """Computes with the CPU's form or another, whichever the program is lowered for.

    Args:
        cpu: the form on a CPU.
        im2col: the form elsewhere if the table in use says so, where the native one is usual.
        compute: function from a form and the arrays.
        arrays: its arrays.
    """
    other = im2col if ACCELERATOR in dict(forms.value) else NATIVE
    return jax.lax.platform_dependent(
        *arrays, cpu=lambda *a: compute(cpu, *a), default=lambda *a: compute(other, *a)
    )


def form_on_cpu(im2col: ConvForm, x: Abstract, w: Abstract, windows: Windows) -> ConvForm:
    """The form of a convolution of images x with kernels w on a CPU, by shape and dtype."""
    usual = blocks(_whole_form_on_cpu(im2col, x.shape, w.shape, windows))
    if windows != Windows(windows.pads):
        return usual

    def measured(part: Map) -> ConvForm:
        name = dict(forms.value).get(class_of(part, w.shape, x.dtype))
        return usual if name is None else form_named(name, im2col, x.shape, w.shape, windows)

    forward, images, kernels = map(measured, ("forward", "images", "kernels"))
    names = dict.fromkeys(form.name for form in (forward, images, kernels))
    return ConvForm("/".join(names), forward.forward, images.images, kernels.kernels)


def form_named(name: str, im2col: ConvForm, x: Shape, w: Shape, windows: Windows) -> ConvForm:
    """The form of this name, for stride 1 and one group; pairs only where outputs can be paired."""
    if name == "native":
        return STANDARD
    paired = _pairs_or_im2col(im2col, x, w, windows)
    return blocks({"im2col": im2col, "rows": ROWS, "pairs": paired}[name])


def _whole_form_on_cpu(im2col: ConvForm, x: Shape, w: Shape, windows: Windows) -> ConvForm:
    if depthwise.is_depthwise(w, windows.groups):
        return DEPTHWISE
    if windows.groups == windows.stride == 1 and rows.rows_are_lighter(w):
        return ROWS
    return _pairs_or_im2col(im2col, x, w, windows)


def _pairs_or_im2col(im2col: ConvForm, x: Shape, w: Shape, windows: Windows) -> ConvForm:
    columns = output_size(x[2], w[1], windows.pads[1], windows.stride, windows.dilation)
    return pairs(im2col) if pairs_fit(columns, w, windows) else im2col


def pairs(im2col: ConvForm) -> ConvForm:
    """The form by pairs of outputs, with stride 1; dx uses the form that its own shapes select."""

    def images(dz: Array, w: Array, size: Shape, windows: Windows) -> Array:
        kernel, pads = rotated_180(w), pads_of_dz(dz.shape, w.shape, size, windows)
        form = _whole_form_on_cpu(im2col, dz.shape, kernel.shape, Windows(pads))
        return form.forward(dz, kernel, Windows(pads))  # (conv.7), (conv.8)

    return ConvForm("pairs", pair_conv2d, images, pair_conv2d_kernels)


def blocks(form: ConvForm) -> ConvForm:
    """Another form, by blocks of images."""

    def block(images: Shape, dz: Shape, w: Shape, itemsize: int) -> int:
        entries = dz[0] * dz[1] * dz[2] * w[0] * w[1] * images[3]
        return images_in_a_block(dz[0], entries * itemsize)

    def forward(x: Array, w: Array, windows: Windows) -> Array:
        z = jax.eval_shape(lambda x, w: form.forward(x, w, windows), x, w)
        size = block(x.shape, z.shape, w.shape, x.itemsize)
        return map_blocks(size, lambda x: form.forward(x, w, windows), x)

    def images(dz: Array, w: Array, size: Shape, windows: Windows) -> Array:
        channels = (0, 0, 0, w.shape[2] * windows.groups)
        count = block(channels, dz.shape, w.shape, dz.itemsize)
        return map_blocks(count, lambda dz: form.images(dz, w, size, windows), dz)

    def kernels(x: Array, dz: Array, size: Shape, windows: Windows) -> Array:
        count = block(x.shape, dz.shape, size, x.itemsize)
        return sum_blocks(count, lambda x, dz: form.kernels(x, dz, size, windows), x, dz)

    return ConvForm(form.name, forward, images, kernels)
