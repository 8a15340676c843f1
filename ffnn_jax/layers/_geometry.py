"""Window geometry: output sizes and resolved pads; no pixels."""

from typing import Literal

from ffnn_jax.layers._arguments import is_integer, require

Padding = int | Literal["SAME", "VALID"]
Shape = tuple[int, ...]
Pads = tuple[tuple[int, int], tuple[int, int]]
"""Zeros (before, after) the rows and the columns of an image."""
NO_PADS: Pads = ((0, 0), (0, 0))


def output_size(size: int, kernel: int, pads: tuple[int, int], stride: int) -> int:
    """The number of windows along one axis of an image with these pads."""
    return (size + sum(pads) - kernel) // stride + 1


def pads_of(x: Shape, w: Shape, padding: Padding, stride: int) -> Pads:
    """The pads of images (N, H, W, C_in) for kernels (KH, KW, C_in, C_out)."""
    rows, columns = (_axis_pads(x[axis], w[axis - 1], padding, stride) for axis in (1, 2))
    return rows, columns


def pads_of_dz(dz: Shape, x: Shape, w: Shape, pads: Pads, stride: int) -> Pads:
    """The pads of dz^ in (conv.7), from (p, q) of (conv.8) onwards: windows of x's own pixels."""

    def along(axis: int) -> tuple[int, int]:
        size, kernel, outputs = x[axis], w[axis - 1], dz[axis]
        before = kernel - 1 - pads[axis - 1][0]
        return before, size + kernel - 1 - before - (stride * (outputs - 1) + 1)

    return along(1), along(2)


def require_windows(function: str, x: Shape, w: Shape, padding: Padding, stride: int) -> None:
    """Raises ValueError unless padding and stride are valid and the kernel fits in the image."""
    require(is_integer(stride, 1), function, "stride", "an integer of at least 1", repr(stride))
    valid = padding in ("SAME", "VALID") or is_integer(padding, 0)
    require(valid, function, "padding", '"SAME", "VALID" or at least 0', repr(padding))
    for axis, pads in enumerate(pads_of(x, w, padding, stride), start=1):
        size = x[axis] + sum(pads)
        fits = 1 <= w[axis - 1] <= size
        require(fits, function, "w", f"no larger than the padded image ({size})", w)


def _axis_pads(size: int, kernel: int, padding: Padding, stride: int) -> tuple[int, int]:
    """The zeros before and after an image along one axis."""
    if padding == "VALID":
        return 0, 0
    if padding == "SAME":
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2
    return padding, padding
