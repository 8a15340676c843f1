"""Window geometry: output sizes and resolved pads; no pixels."""

from typing import Literal, NamedTuple

from ffnn_jax.layers._arguments import is_integer, require

Shape = tuple[int, ...]
Pads = tuple[tuple[int, int], tuple[int, int]]
"""Zeros (before, after) the rows and the columns of an image."""
PaddingAlong = int | Literal["SAME", "VALID"]
Padding = PaddingAlong | Pads
NO_PADS: Pads = ((0, 0), (0, 0))


class Windows(NamedTuple):
    """How the windows of a convolution lie on its images, and which channels they see.

    Attributes:
        pads: the zeros on each side of an image.
        stride: step between windows.
        dilation: step between the pixels of a window.
        groups: number of groups of channels; an output sees the input channels of its own group.
    """

    pads: Pads
    stride: int = 1
    dilation: int = 1
    groups: int = 1


def extent(kernel: int, dilation: int) -> int:
    """The number of pixels from the first to the last that a kernel covers along an axis."""
    return dilation * (kernel - 1) + 1


def output_size(
    size: int, kernel: int, pads: tuple[int, int], stride: int, dilation: int = 1
) -> int:
    """The number of windows along one axis of an image with these pads."""
    return (size + sum(pads) - extent(kernel, dilation)) // stride + 1


def pads_of(x: Shape, w: Shape, padding: Padding, stride: int, dilation: int = 1) -> Pads:
    """The pads of images (N, H, W, C_in) for kernels (KH, KW, C_in, C_out)."""
    if isinstance(padding, tuple):
        return padding
    rows, columns = (pads_along(x[axis], w[axis - 1], padding, stride, dilation) for axis in (1, 2))
    return rows, columns


def pads_along(
    size: int, kernel: int, padding: PaddingAlong, stride: int, dilation: int = 1
) -> tuple[int, int]:
    """The zeros before and after an image along one axis."""
    if isinstance(padding, int):
        return padding, padding
    if padding == "VALID":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + extent(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def pads_of_dz(dz: Shape, w: Shape, size: Shape, windows: Windows) -> Pads:
    """The pads of dz^ in (conv.7), from (p, q) of (conv.8) onwards: windows of x's own pixels."""

    def along(axis: int) -> tuple[int, int]:
        reach, dilated = windows.dilation * (w[axis] - 1), windows.stride * (dz[axis + 1] - 1) + 1
        before = reach - windows.pads[axis][0]
        return before, size[axis] + reach - before - dilated

    return along(0), along(1)


def require_windows(
    function: str, x: Shape, w: Shape, padding: Padding, stride: int, dilation: int = 1
) -> None:
    """Raises ValueError unless the settings are valid and the kernel fits in the padded image.

    One axis or two lie between the batch and the channels.
    """
    expected = "an integer of at least 1"
    require(is_integer(stride, 1), function, "stride", expected, repr(stride))
    require(is_integer(dilation, 1), function, "dilation", expected, repr(dilation))
    require_padding(function, padding, len(x) - 2)
    for axis in range(1, len(x) - 1):
        if isinstance(padding, tuple):
            pads = padding[axis - 1]
        else:
            pads = pads_along(x[axis], w[axis - 1], padding, stride, dilation)
        size, reach = x[axis] + sum(pads), extent(w[axis - 1], dilation)
        reaching = "" if dilation == 1 else f" (dilated, {reach})"
        allowed = f"no larger than the padded image ({size})"
        require(w[axis - 1] >= 1 and reach <= size, function, "w", allowed, f"{w}{reaching}")


def require_padding(function: str, padding: object, axes: int = 2) -> None:
    """Raises ValueError unless padding is one of the forms that ``pads_of`` resolves."""
    named = isinstance(padding, str) and padding in ("SAME", "VALID")
    pairs = isinstance(padding, tuple) and len(padding) == 2 and all(map(_is_pair, padding))
    valid = named or (pairs and axes == 2) or is_integer(padding, 0)
    require(valid, function, "padding", '"SAME", "VALID" or at least 0', repr(padding))


def _is_pair(pads: object) -> bool:
    return isinstance(pads, tuple) and len(pads) == 2 and all(is_integer(n, 0) for n in pads)
