"""The convolutions, beside XLA's own."""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from experiments.against_autodiff._row import Form, Row, functional
from ffnn_jax import layers

_IMAGES, _LINES = ("NHWC", "HWIO", "NHWC"), ("NWC", "WIO", "NWC")


def _lax(padding: int, stride: int = 1, dilation: int = 1, groups: int = 1) -> dict[str, Form]:
    """``lax.conv_general_dilated``, of images or of lines."""

    def form(x: Array, w: Array, b: Array) -> Array:
        axes = x.ndim - 2
        z = lax.conv_general_dilated(
            x, w, (stride,) * axes, [(padding, padding)] * axes, rhs_dilation=(dilation,) * axes,
            feature_group_count=groups, dimension_numbers=_IMAGES if axes == 2 else _LINES,
        )  # fmt: skip
        return z + b

    return {"lax.conv_general_dilated": form}


def _conv2d(detail: str, batch: int, x: str, w: str, padding: int, *static: int) -> Row:
    names = ("stride", "dilation", "groups")
    settings: dict[str, Any] = dict(zip(names, static, strict=False))
    return Row(
        layers.conv2d, (f"Nx{x}", w, w.rpartition("x")[2]), _lax(padding, **settings),
        functional("conv2d", padding=padding, **settings), batch, (padding, *static), detail,
    )  # fmt: skip


def _lax_transposed(x: Array, w: Array, b: Array) -> Array:
    return lax.conv_transpose(x, w[::-1, ::-1], (2, 2), "SAME", dimension_numbers=_IMAGES) + b


def _lax_transposed_kernel(x: Array, w: Array, b: Array) -> Array:
    z = lax.conv_transpose(
        x, w.swapaxes(2, 3), (2, 2), "SAME", dimension_numbers=_IMAGES, transpose_kernel=True
    )
    return z + b


def _zeros_between_pixels(x: Array, w: Array, b: Array) -> Array:
    """A plain convolution of x with zeros written out: Equinox's pull request 1259, of 2026."""
    size, (stride, none) = w.shape[0], (2, (0, 0, 0))
    before = size - 1 - max(size - stride, 0) // 2
    sides = before, size + stride - 2 - before, stride - 1
    spread = lax.pad(x, jnp.zeros((), x.dtype), (none, sides, sides, none))
    kernel = w[::-1, ::-1]
    return lax.conv_general_dilated(spread, kernel, (1, 1), "VALID", dimension_numbers=_IMAGES) + b


def _pixels_side_by_side(x: Array, w: Array, b: Array) -> Array:
    """A stride of the kernel's size puts windows side by side: a matrix product and a reshape."""
    n, height, width, _ = x.shape
    size, _, _, channels = w.shape
    windows = jnp.einsum("nijc,uvck->niujvk", x, w)
    return windows.reshape(n, size * height, size * width, channels) + b


_TRANSPOSED: dict[str, Form] = {
    "lax.conv_transpose": _lax_transposed,
    "lax.conv_transpose, transpose_kernel": _lax_transposed_kernel,
    "lax.pad and lax.conv_general_dilated": _zeros_between_pixels,
}


def _conv_transpose2d(size: int, padding: int, forms: dict[str, Form]) -> Row:
    def form(torch: Any, x: Any, w: Any, b: Any) -> Any:
        w = w.transpose(0, 1)  # PyTorch's kernels here are (C_in, C_out, KH, KW)
        return torch.nn.functional.conv_transpose2d(x, w, b, stride=2, padding=padding)

    return Row(
        layers.conv_transpose2d, ("Nx16x16x64", f"{size}x{size}x64x32", "32"), forms, form, 64,
        (2, "SAME"), f"{size} × {size}, stride 2",
    )  # fmt: skip


CONVOLUTIONS = (
    _conv2d("3 × 3", 64, "16x16x64", "3x3x64x64", 1),
    _conv2d("5 × 5", 64, "16x16x32", "5x5x32x32", 2),
    _conv2d("3 × 3, stride 2", 64, "32x32x32", "3x3x32x64", 1, 2),
    _conv2d("3 × 3, dilation 2", 32, "16x16x32", "3x3x32x32", 2, 1, 2),
    _conv2d("3 × 3, 4 groups", 32, "16x16x64", "3x3x16x64", 1, 1, 1, 4),
    _conv2d("3 × 3, depthwise", 128, "16x16x64", "3x3x1x64", 1, 1, 1, 64),
    Row(
        layers.conv1d, ("Nx256x32", "5x32x32", "32"), _lax(2), functional("conv1d", padding=2), 64,
        (2,), "5",
    ),
    _conv_transpose2d(4, 1, _TRANSPOSED),
    _conv_transpose2d(2, 0, {**_TRANSPOSED, "einsum and reshape": _pixels_side_by_side}),
)  # fmt: skip
