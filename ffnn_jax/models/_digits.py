"""The digits in a picture: ink relative to its local background, grouped into digits.

The background is what remains when everything dark that holds no disc is filled in (a grey closing;
for light ink, of the negative). Shadows, vignettes and a desk around the sheet belong to it, with
their edges, along which the disc rolls. Lines across the page, frames, specks and what touches the
picture's edge are left out; pieces close to one another are one digit.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

ndimage: Any = scipy.ndimage  # its functions are annotated with unions of all that they may return
_LUMA = np.array([0.299, 0.587, 0.114])
_THUMBNAIL, _DISC, _DARKEST = 64, 0.1, 0.35
_MIN_INK, _NOISY, _NOISES, _FAINT = 0.06, 0.02, 5, 0.15
_WEAK, _STRONG, _MIN_COLOUR_RATIO = 0.3, 0.5, 3
_STEEPEST, _LINE = 0.3, 0.8
# Of MNIST's digits, 80 % have strokes of 0.10 to 0.18 of their larger side, the median 0.13.
_STROKE, _THICKEST = 0.12, 0.2
# How far apart a digit's pieces may be, down and across, in sizes of the largest.
_REACH, _SOLID, _MANY = (0.07, 0.03), 0.45, 12
_EIGHT = np.ones((3, 3), int)

Box = tuple[slice, slice]
Grey = Float[np.ndarray, "H W"]
Mask = Bool[np.ndarray, "H W"]
Labels = Int[np.ndarray, "H W"]


class Digit(NamedTuple):
    """A digit's ink from 0 to 1, and its (left, top, right, bottom) in the picture."""

    ink: Float[np.ndarray, "h w"]
    box: tuple[int, int, int, int]


def find_digits(colours: Float[np.ndarray, "H W 3"]) -> tuple[list[Digit], list[str], str | None]:
    """The digits in a picture with channels from 0 to 1, how they were found, and a doubt."""
    ink, how = _ink(colours)
    noise = 1.4826 * float(np.median(np.abs(ink)))  # most pixels are paper
    if noise > _NOISY:
        ink, noise = ndimage.gaussian_filter(ink, 1.2), noise / 4  # what it leaves of white noise
    floor = max(_MIN_INK, _NOISES * noise)
    if not (ink > floor).any():
        return [], [], "no ink stands out from its background"
    level = 0.9 * float(ink.max())
    pieces, _ = ndimage.label(ink > max(level * _WEAK, floor), _EIGHT)
    mask = np.isin(pieces, pieces[ink > max(level * _STRONG, floor)])
    groups, kept, left_out, warning = _grouped(mask)
    digits = [_drawn(groups == k, box) for k, box in enumerate(ndimage.find_objects(groups), 1)]
    warning = _doubt(digits, level, (groups > 0).sum() / kept.sum()) or warning
    return digits, how + left_out, warning


def _ink(colours: Float[np.ndarray, "H W 3"]) -> tuple[Grey, list[str]]:
    """The ink in each pixel relative to its background, and how it was separated."""
    ink, dark = _dark_or_light(colours @ _LUMA)
    if ink.max() < 1 / _MIN_COLOUR_RATIO:
        inks = [_dark_or_light(colours[..., channel])[0] for channel in range(3)]
        best = max(inks, key=np.max)
        if best.max() > _MIN_COLOUR_RATIO * ink.max():
            return best, ["detected by its colour"]
    return ink, ["inverted (dark on light)"] if dark else []


def _dark_or_light(grey: Grey) -> tuple[Grey, bool]:
    """The ink relative to its background, and whether it is dark on light."""
    paper, night = _background(grey), 1 - _background(1 - grey)
    dark = _evidence(paper - grey) >= _evidence(grey - night)
    ink = (paper - grey) / np.maximum(paper, _DARKEST) if dark else grey - night
    return ink - np.median(ink), dark


def _background(grey: Grey) -> Grey:
    """The picture with everything dark that holds no disc filled in, and no edges."""
    step = -(-max(grey.shape) // _THUMBNAIL)
    small = ndimage.uniform_filter(grey, step, origin=-(step // 2))[::step, ::step]
    radius = max(3, round(_DISC * min(small.shape)))
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    closed = ndimage.grey_closing(np.pad(small, radius, "edge"), footprint=np.hypot(x, y) <= radius)
    paper = ndimage.minimum_filter(closed[radius:-radius, radius:-radius], 3 if step > 1 else 1)
    return np.kron(paper, np.ones((step, step)))[: grey.shape[0], : grey.shape[1]]


def _evidence(ink: Grey) -> float:
    """The squared contrast of the ink times the length over the thickness of its largest piece."""
    ink = np.pad(ndimage.gaussian_filter(ink, 1), 1)
    labels, _ = ndimage.label(ink >= max(ink.max() / 2, 1e-6), _EIGHT)
    areas = np.bincount(labels.ravel(), minlength=2)[1:]
    depth = ndimage.distance_transform_edt(labels == 1 + areas.argmax()).max(initial=1)
    return float(ink.max() ** 2 * areas.max() / depth**2)


def _grouped(mask: Mask) -> tuple[Labels, Mask, list[str], str | None]:
    """Labels of the digits in reading order, ink but frames and lines, what was left out, doubt."""
    unframed = _without_frames(mask)
    without = _without_lines(_without_lines(unframed).T).T
    pieces, _ = ndimage.label(without, _EIGHT)
    inner = without & ~np.isin(pieces, [*pieces[[0, -1]].flat, *pieces[:, [0, -1]].flat])
    groups, specks = _digits(inner)
    if not groups.any():
        groups, specks = _digits(mask)
        return groups, mask, specks, "it touches the picture's edge"
    steps = ["frame removed"] * bool((unframed != mask).any())
    steps += ["line removed"] * bool((without != unframed).any())
    steps += ["what touches the edge left out"] * bool((inner != without).any())
    return groups, without, steps + specks, None


def _without_frames(mask: Mask) -> Mask:
    """The ink without frames: grids, and boxes about a digit."""
    labels, _ = ndimage.label(mask, _EIGHT)
    boxes = ndimage.find_objects(labels)
    frames = [k for k in range(1, len(boxes) + 1) if _is_frame(k, labels, boxes)]
    return mask & ~np.isin(labels, frames)


def _is_frame(k: int, labels: Labels, boxes: Sequence[Box]) -> bool:
    """Whether a hole of the piece holds another of at least a quarter of the hole's size."""
    inside = np.pad(labels[boxes[k - 1]], 1)
    holes, _ = ndimage.label(inside != k)
    return any(
        _size(boxes[other - 1]) > 0.25 * _size(box)
        for hole, box in enumerate(ndimage.find_objects(holes), 1) if hole != holes[0, 0]
        for other in np.unique(inside[holes == hole]) if other
    )  # fmt: skip


def _without_lines(mask: Mask) -> Mask:
    """The ink without near-horizontal lines across the picture, where they are no thicker."""
    runs, _ = ndimage.label(mask, [[0, 1, 0]] * 3)  # vertical ones
    reached = ndimage.maximum_filter1d(runs, 3, axis=0)
    y, x = np.nonzero(reached)
    tilts = np.linspace(-_STEEPEST, _STEEPEST, 61) if y.size else []
    rows = [
        y - np.round(tilt * (x - mask.shape[1] / 2)).astype(int) + sum(mask.shape) for tilt in tilts
    ]
    best = max(rows, key=lambda row: np.bincount(row).max(), default=y)
    lines = np.flatnonzero(np.bincount(best) > _LINE * mask.shape[1])
    if not lines.size:
        return mask
    along, lengths = reached[y, x][np.isin(best, lines)], np.bincount(runs.ravel())
    thin = lengths <= 1.5 * np.median(lengths[along]) + 1
    return mask & ~np.isin(runs, along[thin[along]])


def _digits(ink: Mask) -> tuple[Labels, list[str]]:
    """Labels of the digits in reading order, and what was left out."""
    pieces = ndimage.find_objects(ndimage.label(ink, _EIGHT)[0])
    tall = max(map(_size, pieces), default=0)
    reach = [1 + 2 * round(share * tall) for share in _REACH]
    groups = ndimage.label(ndimage.maximum_filter(ink, reach), _EIGHT)[0] * ink
    depth = ndimage.distance_transform_edt(ink)
    shapes = {
        k: box for k, box in enumerate(ndimage.find_objects(groups), 1)
        if 2 * depth[box][groups[box] == k].max() < _SOLID * _size(box)
    }  # fmt: skip
    if not shapes:
        return np.zeros_like(groups), ["blobs left out"] * len(pieces)
    areas = np.bincount(groups.ravel())
    sizes = {k: [part.stop - part.start for part in box] for k, box in shapes.items()}
    main = max(sizes, key=lambda k: areas[k] * sizes[k][0])
    least = 0.45 * max(sizes[main])  # of others: tall enough, and not too wide
    others = {k for k, (height, width) in sizes.items() if height > least and width < 2.5 * height}
    digits = {k: box for k, box in shapes.items() if k == main or k in others}
    number = np.zeros(len(areas), int)
    number[_in_reading_order(digits)] = range(1, len(digits) + 1)
    result = number[groups]
    return result, ["specks left out"] * bool((ink & (result == 0)).any())


def _in_reading_order(digits: dict[int, Box]) -> list[int]:
    """Rows from the top, then left to right: a row is as tall as the tallest digit."""
    top = min(y.start for y, _ in digits.values())
    row = 1.3 * max(y.stop - y.start for y, _ in digits.values())
    middle = {k: (y.start + y.stop) / 2 - top for k, (y, _) in digits.items()}
    return sorted(digits, key=lambda k: (middle[k] // row, digits[k][1].start))


def _size(box: Box) -> int:
    return max(part.stop - part.start for part in box)


def _drawn(mask: Mask, box: Box) -> Digit:
    """The digit with strokes as thick as MNIST's."""
    size = _size(box)
    margin = 2 + round(_STROKE * size / 2)
    part = np.pad(mask[box], margin)
    inside, outside = (ndimage.distance_transform_edt(m) for m in (part, ~part))
    stroke = 4 * max(float(inside[part].mean()) - 0.5, 0.25)
    thicker = (np.clip(stroke, _STROKE * size, _THICKEST * size) - stroke) / 2
    drawn = np.clip(inside - outside + thicker + 0.5, 0, 1)
    return Digit(drawn, (box[1].start, box[0].start, box[1].stop, box[0].stop))


def _doubt(digits: list[Digit], level: float, share: float) -> str | None:
    """Why the digits may be none, if there is a reason."""
    boxes = [digit.box for digit in digits]
    if not digits:
        return "nothing in it looks like the strokes of a digit"
    if len(digits) > _MANY or share < 0.3:
        return "most of what it shows is no digit"
    if level < _FAINT:
        return "the ink is faint"
    if any(right - left > 1.4 * (bottom - top) for left, top, right, bottom in boxes):
        return "wider than a digit: perhaps several that touch"
    return None
