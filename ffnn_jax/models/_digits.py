"""The digits in a picture: ink relative to its local background, grouped into digits.

The background is what remains when everything thinner than a quarter of the picture is filled in (a
grey closing; an opening for light ink), so that shadows, vignettes and a desk around the sheet are
background, with their edges. Ink is relative to it. Lines across the page, frames, specks, and what
touches the picture's edge are left out; pieces close to one another are one digit.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

ndimage: Any = scipy.ndimage  # its functions are annotated with unions of all that they may return
_LUMA = np.array([0.299, 0.587, 0.114])
_WINDOW, _THUMBNAIL, _SMALL = 0.3, 48, 120
_MIN_INK, _NOISY, _NOISES, _FAINT = 0.06, 0.02, 5, 0.15
_STRONG, _WEAK = 0.5, 0.3
_MIN_COLOUR_RATIO = 3
_STEEPEST, _LINE = 0.3, 0.8
# Of MNIST's digits, 80 % have strokes of 0.10 to 0.18 of their larger side, the median 0.13.
_STROKE, _THICKEST = 0.12, 0.2
_SOLID, _MANY, _MOST_PIECES = 0.45, 12, 50
_EIGHT = np.ones((3, 3), int)

Slices = tuple[slice, slice]
Numbered = Sequence[tuple[int, Slices]]
Mask = Bool[np.ndarray, "H W"]
Labels = Int[np.ndarray, "H W"]


@dataclasses.dataclass(frozen=True)
class Digit:
    """A digit's ink from 0 to 1, and its (left, top, right, bottom) in the picture."""

    ink: Float[np.ndarray, "h w"]
    box: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Found:
    """The digits of a picture in reading order, how they were found, and doubts, if any."""

    digits: tuple[Digit, ...]
    steps: tuple[str, ...]
    warning: str | None


def find_digits(colours: Float[np.ndarray, "H W 3"]) -> Found:
    """Finds the digits in a picture with channels from 0 to 1."""
    sheet = _sheet(colours @ _LUMA)
    if sheet is None:
        return _on_paper(colours, np.ones(colours.shape[:2], bool))
    nearest = ndimage.distance_transform_edt(~sheet, return_distances=False, return_indices=True)
    found = _on_paper(colours[tuple(nearest)], sheet)
    if not found.digits:
        return _on_paper(colours, np.ones(colours.shape[:2], bool))
    return dataclasses.replace(found, steps=("desk left out", *found.steps))


def _on_paper(colours: Float[np.ndarray, "H W 3"], sheet: Mask) -> Found:
    ink, steps = _ink(colours)
    if _noise(ink) > _NOISY:
        ink = ndimage.gaussian_filter(ink, 1.2)
    floor = max(_MIN_INK, _NOISES * _noise(ink))
    if not (ink > floor).any():
        return Found((), (), "no ink stands out from its background")
    level = float(np.percentile(ink[ink > floor], 90))
    for share in (level, level / 2, level / 4):
        mask = _hysteresis(ink, max(share * _STRONG, floor), max(share * _WEAK, floor))
        groups, left_out, warning = _grouped(mask, sheet)
        if groups.any():
            break
    boxes = ndimage.find_objects(groups)
    digits = [_drawn(groups == k, ink, where) for k, where in enumerate(boxes, 1)]
    return Found(tuple(digits), (*steps, *left_out), _doubt(digits, level, mask, groups) or warning)


def _noise(ink: Float[np.ndarray, "H W"]) -> float:
    """The deviation of most pixels, which are paper."""
    return 1.4826 * float(np.median(np.abs(ink)))


def _ink(colours: Float[np.ndarray, "H W 3"]) -> tuple[Float[np.ndarray, "H W"], list[str]]:
    """The ink in each pixel relative to its background, and how it was separated."""
    grey = colours @ _LUMA
    ink, dark = _contrast(grey)
    how = ["inverted (dark on light)"] if dark else []
    if ink.max() < 1 / _MIN_COLOUR_RATIO:
        inks = [_contrast(colours[..., channel])[0] for channel in range(3)]
        best = max(inks, key=np.max)
        if best.max() > _MIN_COLOUR_RATIO * ink.max():
            return best, ["detected by its colour"]
    return ink, how


def _contrast(grey: Float[np.ndarray, "H W"]) -> tuple[Float[np.ndarray, "H W"], bool]:
    """The ink relative to its background, and whether it is dark on light."""
    window = max(3, round(_WINDOW * min(grey.shape)))
    padded = np.pad(ndimage.gaussian_filter(grey, max(grey.shape) / 800), window, "edge")
    inside = (slice(window, -window),) * 2
    paper, night = (f(padded, window)[inside] for f in (ndimage.grey_closing, ndimage.grey_opening))
    local, grey = _local_median(grey), padded[inside]
    dark = np.minimum(paper - grey, np.clip(local - grey, 0, None))
    light = np.minimum(grey - night, np.clip(grey - local, 0, None))
    if (dark**2).sum() >= (light**2).sum():
        ink, scale = paper - grey, np.maximum(paper, 0.35 * np.percentile(paper, 95))
        ink = ink / np.maximum(scale, 1e-3)
        return ink - np.median(ink), True
    ink = grey - night
    return ink - np.median(ink), False


def _local_median(grey: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    step = -(-max(grey.shape) // _THUMBNAIL)
    small = ndimage.median_filter(grey[::step, ::step], 21, mode="reflect")
    return _enlarged(small, step, grey.shape)


def _enlarged(small: np.ndarray, step: int, shape: tuple[int, ...]) -> np.ndarray:
    """A thumbnail of every step-th pixel, in its original size."""
    return small.repeat(step, 0).repeat(step, 1)[: shape[0], : shape[1]]


def _sheet(grey: Float[np.ndarray, "H W"]) -> Mask | None:
    """A light sheet on a darker desk: a sharply bounded region away from the picture's edge."""
    step = -(-max(grey.shape) // _SMALL)
    small = ndimage.gaussian_filter(grey, step / 2)[::step, ::step]
    window = max(3, round(0.12 * min(small.shape)))
    flat = ndimage.grey_closing(ndimage.grey_opening(small, window), window)
    labels, count = ndimage.label(flat > _otsu(flat))
    if not count:
        return None
    light = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    sheet = _convex(light)
    edge, beyond = _edge(sheet), _edge(flat)[~_edge(sheet)]
    if not 0.08 < sheet.mean() < 0.95 or light.sum() < 0.5 * sheet.sum() or edge.mean() > 0.3:
        return None
    inner, outer = (ndimage.distance_transform_edt(part) for part in (sheet, ~sheet))
    rim = [float(np.median(small[(d > 1) & (d <= 4)])) for d in (inner, outer)]
    contrast = np.median(flat[light]) - np.median(beyond)
    if rim[0] - rim[1] < max(0.5 * contrast, 0.04) or contrast < 0.04:
        return None
    return ndimage.binary_erosion(_enlarged(sheet, step, grey.shape), iterations=2 * step)


def _convex(mask: Mask) -> Mask:
    """The mask with its dents and holes filled: the half-planes about it in 32 directions."""
    y, x = np.indices(mask.shape)
    hull = np.ones_like(mask)
    for angle in np.linspace(0, 2 * np.pi, 32, endpoint=False):
        along = np.cos(angle) * x + np.sin(angle) * y
        hull &= along <= along[mask].max()
    return hull


def _edge(values: np.ndarray) -> np.ndarray:
    """The outermost pixels."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _otsu(values: np.ndarray) -> float:
    """The threshold that maximises the variance between the two classes."""
    counts, edges = np.histogram(values, 64)
    below, total = np.cumsum(counts), np.cumsum(counts * edges[:-1])
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(edges[1:][np.nanargmax(np.nan_to_num(between))])


def _hysteresis(ink: Float[np.ndarray, "H W"], strong: float, weak: float) -> Mask:
    """Connected weak ink that has strong ink somewhere."""
    labels, count = ndimage.label(ink > weak, _EIGHT)
    keep = np.zeros(count + 1, bool)
    keep[labels[ink > strong]] = True
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep[np.argsort(-sizes)[_MOST_PIECES:]] = False
    keep[0] = False
    return keep[labels]


def _grouped(mask: Mask, sheet: Mask) -> tuple[Labels, list[str], str | None]:
    """Labels of the digits in reading order, what was left out, and a doubt."""
    without, lines = _without_lines(mask)
    for candidate, said in ((without, lines), (mask, False)):
        inner = ndimage.label(candidate, _EIGHT)[0]
        edge = np.unique(np.concatenate([_edge(inner), inner[~sheet]]))
        inner[np.isin(inner, edge)] = 0
        groups, specks = _digits(inner)
        if groups.any():
            steps = ["line removed"] * said
            steps += ["what touches the edge left out"] * bool(edge.any())
            return groups, steps + specks, None
    groups, specks = _digits(ndimage.label(mask, _EIGHT)[0])
    return groups, specks, "it touches the picture's edge"


def _without_lines(mask: Mask) -> tuple[Mask, bool]:
    """The ink without straight lines across the picture, where they are no thicker than usual."""
    result, found = mask.copy(), False
    for view in (result, result.T):
        for _ in range(2):
            found |= _erase_parallel_lines(view)
    return result, found


def _erase_parallel_lines(mask: Mask) -> bool:
    """Erases, in place, near-horizontal lines of the commonest slope; False without any."""
    height, width = mask.shape
    columns = np.arange(width)
    if not mask.any(axis=0).mean() > _LINE:
        return False
    tall = ndimage.maximum_filter1d(mask, 3, axis=0)
    best, slope, rows = 0.0, 0.0, np.arange(0)
    for tilt in np.linspace(-_STEEPEST, _STEEPEST, 61):
        y = np.arange(height)[:, None] + np.round(tilt * (columns - width / 2)).astype(int)
        inside = (y >= 0) & (y < height)
        covered = (tall[np.clip(y, 0, height - 1), columns] & inside).sum(axis=1)
        share = covered / np.maximum(inside.sum(axis=1), 0.8 * width)
        if share.max() > max(best, _LINE):
            best, slope, rows = share.max(), tilt, np.flatnonzero(share > _LINE)
    if not len(rows):
        return False
    runs = _run_lengths(mask)
    offset = np.round(slope * (columns - width / 2)).astype(int)
    near = np.zeros_like(mask)
    for row in rows:
        for reach in range(-2, 3):
            y = row + offset + reach
            ok = (y >= 0) & (y < height)
            near[y[ok], columns[ok]] = True
    on = near & mask
    thickness = float(np.median(runs[on]))
    labels, _ = ndimage.label(mask & (runs <= 1.5 * thickness + 1), [[0, 1, 0]] * 3)
    mask[np.isin(labels, np.unique(labels[on])[1:]) & (labels > 0)] = False
    return True


def _run_lengths(mask: Mask) -> Int[np.ndarray, "H W"]:
    """The length of the vertical run of ink through each pixel."""
    labels, count = ndimage.label(mask, [[0, 1, 0]] * 3)
    return np.bincount(labels.ravel(), minlength=count + 1)[labels] * mask


def _digits(labels: Labels) -> tuple[Labels, list[str]]:
    """Labels of the digits among the pieces of ink, in reading order, and what was left out."""
    pieces = _without_frames(labels)
    steps = ["frame removed"] if (pieces != labels).any() else []
    if not pieces.any():
        return pieces, steps
    reach = 0.03 * max(_size(box) for _, box in _boxes(pieces))
    near = ndimage.distance_transform_edt(pieces == 0) <= reach
    groups = ndimage.label(near, _EIGHT)[0] * (pieces > 0)
    boxes, areas = _boxes(groups), np.bincount(groups.ravel())
    depth = ndimage.distance_transform_edt(groups)
    thickness = 2 * ndimage.maximum(depth, groups, range(areas.size))
    shapes = [(k, box) for k, box in boxes if thickness[k] < _SOLID * _size(box)]
    if not shapes:
        return np.zeros_like(groups), ["blobs left out"]
    main, tallest = max(shapes, key=lambda one: areas[one[0]] * _size(one[1]))
    height = _size(tallest)
    digits = [(k, box) for k, box in shapes if k == main or _is_as_tall(box, 0.45 * height)]
    digits = sorted(digits, key=lambda one: _reading_order(one[1], digits))
    result = np.zeros_like(groups)
    for number, (k, _) in enumerate(digits, 1):
        result[groups == k] = number
    for k, box in boxes:
        if not result[groups == k].any() and (number := _owner(box, height, digits)):
            result[groups == k] = number
    if (result == 0)[groups > 0].any():
        steps.append("specks left out")
    return result, steps


def _boxes(labels: Labels) -> Numbered:
    return [(k, box) for k, box in enumerate(ndimage.find_objects(labels), 1) if box]


def _is_as_tall(box: Slices, least: float) -> bool:
    height, width = _lengths(box)
    return height > least and width < 2.5 * height


def _owner(box: Slices, height: int, digits: Numbered) -> int:
    """The digit to which a loose stroke belongs: it lies over or under it; 0 for a speck."""
    rows, columns = box
    if _size(box) < 0.2 * height:
        return 0
    for number, (_, (y, x)) in enumerate(digits, 1):
        overlap = min(columns.stop, x.stop) - max(columns.start, x.start)
        gap = max(rows.start, y.start) - min(rows.stop, y.stop)
        if overlap > 0.5 * (columns.stop - columns.start) and gap < 0.15 * height:
            return number
    return 0


def _reading_order(box: Slices, digits: Numbered) -> tuple[int, int]:
    """Rows from the top, then left to right: a row is as tall as the tallest digit."""
    top = min(y.start for _, (y, _) in digits)
    tall = max(_lengths(one)[0] for _, one in digits)
    return int((box[0].start + box[0].stop - 2 * top) / 2 // (1.3 * tall)), box[1].start


def _without_frames(labels: Labels) -> Labels:
    """The pieces without those that surround another of at least a quarter of their size."""
    boxes = _boxes(labels)
    frames = [k for k, outer in boxes for _, inner in boxes if _surrounds(outer, inner)]
    return np.where(np.isin(labels, frames), 0, labels)


def _surrounds(outer: Slices, inner: Slices) -> bool:
    within = all(a.start < b.start and b.stop < a.stop for a, b in zip(outer, inner, strict=True))
    return within and _size(inner) > 0.25 * _size(outer)


def _lengths(box: Slices) -> tuple[int, int]:
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def _size(box: Slices) -> int:
    return max(_lengths(box))


def _drawn(mask: Mask, ink: Float[np.ndarray, "H W"], box: Slices) -> Digit:
    """The digit with strokes as thick as MNIST's."""
    size = _size(box)
    margin = 2 + round(_STROKE * size / 2)
    part = np.pad(mask[box], margin)
    inside, outside = (ndimage.distance_transform_edt(m) for m in (part, ~part))
    stroke = 4 * max(float(inside[part].mean()) - 0.5, 0.25)
    thicker = (np.clip(stroke, _STROKE * size, _THICKEST * size) - stroke) / 2
    level = np.percentile(ink[mask], 75)
    near = np.pad(ink[box] / level, margin) * (outside <= 1.5)
    drawn = np.clip(inside - outside + thicker + 0.5, 0, 1)
    result = np.maximum(np.clip(near, 0, 1), drawn) if thicker >= 0 else np.minimum(1, drawn)
    rows, columns = box
    return Digit(result, (columns.start, rows.start, columns.stop, rows.stop))


def _doubt(digits: list[Digit], level: float, mask: Mask, groups: Labels) -> str | None:
    """Why the digits may be none, if there is a reason."""
    boxes = [digit.box for digit in digits]
    if not digits:
        return "nothing in it looks like the strokes of a digit"
    if len(digits) > _MANY or (groups > 0).sum() < 0.3 * mask.sum():
        return "most of what it shows is no digit"
    if level < _FAINT:
        return "the ink is faint"
    if any(right - left > 1.4 * (bottom - top) for left, top, right, bottom in boxes):
        return "wider than a digit: perhaps several that touch"
    return None
