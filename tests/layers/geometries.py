"""Images, kernels, paddings and strides on which every form of the convolution is tested."""

from typing import Any

import jax
import pytest

from tests.layers.checking import normal

# (H, W), (KH, KW), padding, stride, dilation, groups; the last two are 1 where they are left out
GEOMETRIES: dict[str, Any] = {
    "odd kernel, same": ((7, 6), (3, 5), "SAME", 1),
    "even kernel, same": ((7, 6), (2, 4), "SAME", 1),
    "even kernel, same, stride 2": ((7, 8), (4, 3), "SAME", 2),
    "stride beyond the kernel, same": ((8, 7), (1, 2), "SAME", 3),
    "valid": ((7, 6), (3, 2), "VALID", 1),
    "one by one": ((5, 4), (1, 1), "VALID", 1),
    "stride 2 with a remainder": ((7, 6), (2, 3), 0, 2),
    "padding 1, stride 3 with a remainder": ((9, 6), (3, 2), 1, 3),
    "padding 3, larger than the kernel": ((5, 4), (2, 3), 3, 1),
    "padding 3, stride 2": ((5, 6), (4, 1), 3, 2),
    "one window": ((3, 4), (3, 4), 0, 2),
    "an even output of an odd image": ((6, 5), (3, 2), "VALID", 1),
    "dilated, same": ((7, 6), (3, 2), "SAME", 1, 2),
    "dilated, padding 2, stride 3": ((9, 8), (2, 3), 2, 3, 2),
    "grouped, same": ((5, 4), (3, 2), "SAME", 1, 1, 2),
    "grouped, dilated, valid, stride 2": ((9, 8), (3, 2), "VALID", 2, 2, 2),
    "depthwise, same": ((5, 4), (3, 2), "SAME", 1, 1, 4),
    "depthwise, padding 1, stride 2, dilated": ((7, 6), (2, 3), 1, 2, 2, 4),
}

# (H, W), window, stride, padding
WINDOWS = {
    "adjacent": ((4, 6), 2, None, "VALID"),
    "adjacent with a remainder": ((7, 5), 3, None, 0),
    "overlap with a remainder": ((6, 8), 3, 2, "VALID"),
    "stride 1, same": ((4, 3), 3, 1, "SAME"),
    "even window, same": ((4, 5), 2, 1, "SAME"),
    "stride 2, same": ((6, 5), 3, 2, "SAME"),
    "padding 1, stride 2": ((5, 6), 3, 2, 1),
    "padding 2, almost the window": ((2, 1), 3, 1, 2),
    "stride beyond the window": ((7, 8), 2, 3, 1),
    "one pixel": ((4, 3), 1, 2, "VALID"),
    "window larger than the image": ((2, 3), 4, 3, "SAME"),
}


def sampled(geometries: dict[str, Any]) -> pytest.MarkDecorator:
    """Every second geometry in the default run, and all of them behind the marker."""
    marks = [() if number % 2 == 0 else pytest.mark.slow for number in range(len(geometries))]
    rows = [
        pytest.param(geometry, id=name, marks=mark)
        for (name, geometry), mark in zip(geometries.items(), marks, strict=True)
    ]
    return pytest.mark.parametrize("geometry", rows)


def windows_in(size: int, window: int, stride: int | None, padding: int | str) -> list[range]:
    """The rows or columns of each window, without those outside the image."""
    step = window if stride is None else stride
    around = 0 if isinstance(padding, str) else 2 * padding
    count = -(-size // step) if padding == "SAME" else (size + around - window) // step + 1
    if padding == "SAME":
        around = max(step * (count - 1) + window - size, 0)
    starts = [step * i - around // 2 for i in range(count)]
    return [range(max(start, 0), min(start + window, size)) for start in starts]


def drawn(
    image: tuple[int, int], kernel: tuple[int, int], *leading: int, groups: int = 1
) -> list[jax.Array]:
    """Random arguments for 2 images, from 3 channels, or 4 in groups, to 4."""
    channels = 3 if groups == 1 else 4
    x = normal(0, *leading, 2, *image, channels)
    return [x, normal(1, *leading, *kernel, channels // groups, 4), normal(2, *leading, 4)]


def static(*settings: Any) -> dict[str, Any]:
    """The settings of a geometry by name."""
    names = ("padding", "stride", "dilation", "groups")
    return dict(zip(names, (*settings, 1, 1)[:4], strict=True))
