"""Picture files of any size and mode, converted to the pixels that a network takes.

Pictures for a model of digits are prepared as MNIST's were: the digit is light on dark, cropped to
its ink, scaled to fit 20 x 20 of 28 x 28 pixels, and placed with its centre of mass in the middle.
A thin frame is removed, and ink as light as its paper is detected by its colour. Other pictures are
cropped to the network's aspect ratio and scaled.
"""

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from ffnn_jax.config import UserError

MAX_PIXELS = 50_000_000
_INK_FLOOR, _INK_THRESHOLD = 0.2, 0.3
_MIN_CONTRAST, _GREY_TOLERANCE, _MIN_COLOUR_RATIO = 0.05, 0.15, 3
_MAX_FRAME_SHARE, _MIN_PAPER_SHARE = 0.06, 0.95
_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
# Raised by Pillow for files that are truncated, altered, or hostile.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, MemoryError)

Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class PreparedPicture:
    """A picture as a network sees it, and the steps that prepared it.

    Attributes:
        pixels: uint8 pixels, in the network's input shape.
        steps: the preparation steps, in order.
    """

    pixels: UInt8[np.ndarray, "H W C"]
    steps: tuple[str, ...]


def picture_files(paths: Sequence[str | Path]) -> Iterator[Path]:
    """The files, with each folder replaced by its pictures, sorted by name.

    Raises:
        UserError: a folder contains no pictures.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        if not inside:
            raise UserError(f"{path}: a folder without pictures ({', '.join(sorted(_SUFFIXES))})")
        yield from inside


def prepare_picture(path: str | Path, shape: Shape, digits: bool) -> PreparedPicture:
    """Reads a picture file and converts it to the network's input shape.

    Args:
        path: the file.
        shape: the network's (height, width, channels).
        digits: whether to prepare it as MNIST's digits were.

    Raises:
        UserError: the file cannot be read, is too large, or shows no digit.
    """
    image, steps = _read(Path(path))
    try:
        prepared = _digit(image, shape) if digits else _plain(image, shape)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return PreparedPicture(prepared.pixels, (*steps, *prepared.steps))


def _read(path: Path) -> tuple[Image.Image, list[str]]:
    """The picture, upright, in RGB or grey, and the steps taken so far."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if not path.is_file():
        raise UserError(f"{path}: not a file")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            width, height = opened.size
            if width * height > MAX_PIXELS:
                raise UserError(
                    f"{path}: {width} x {height} pixels, at most {MAX_PIXELS:,} are allowed"
                )
            steps = [f"{width} x {height}, {opened.mode}"]
            if getattr(opened, "n_frames", 1) > 1:
                steps.append("first frame")
            opened.load()
            image, background = _upright(opened)
            return image, steps + ([f"flattened onto {background}"] if background else [])
    except Image.DecompressionBombError:
        raise UserError(f"{path}: too large, at most {MAX_PIXELS:,} pixels are allowed") from None
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a picture") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _upright(image: Image.Image) -> tuple[Image.Image, str]:
    """The picture upright, with 8 bits per channel, and the background behind it, if any."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _in_8_bits(np.asarray(image, np.float64), image.mode == "F"), ""
    if "A" in image.getbands() or "transparency" in image.info:
        return _flattened(image.convert("RGBA"))
    return (image if image.mode in ("L", "RGB") else image.convert("RGB")), ""


def _in_8_bits(values: Float[np.ndarray, "H W"], floating: bool) -> Image.Image:
    """Scales greys by the least of 1 (floating-point only), 255 or 65535 that holds them."""
    ranges = (1, 255, 65535) if floating else (255, 65535)
    maximum = next((top for top in ranges if values.max(initial=0) <= top), ranges[-1])
    scaled = np.nan_to_num(np.clip(values / maximum, 0, 1))
    return Image.fromarray((scaled * 255).round().astype(np.uint8))


def _flattened(image: Image.Image) -> tuple[Image.Image, str]:
    """Flattens transparency onto white, or onto black if nothing would show on white."""
    for colour in ("white", "black"):
        background = Image.new("RGBA", image.size, colour)
        flat = Image.alpha_composite(background, image).convert("RGB")
        if np.ptp(np.asarray(flat), axis=(0, 1)).max() > 255 * _MIN_CONTRAST:
            break
    opaque = image.getchannel("A").getextrema() == (255, 255)
    return flat, "" if opaque else colour


def _plain(image: Image.Image, shape: Shape) -> PreparedPicture:
    height, width, channels = shape
    image = image.convert("L" if channels == 1 else "RGB")
    scale = min(image.width / width, image.height / height)
    size = (max(round(scale * width), 1), max(round(scale * height), 1))
    steps = []
    if size != image.size:
        left, top = ((whole - part) // 2 for whole, part in zip(image.size, size, strict=True))
        image = image.crop((left, top, left + size[0], top + size[1]))
        steps.append(f"cropped to the middle {size[0]} x {size[1]}")
    if size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        steps.append(f"scaled to {width} x {height}")
    return PreparedPicture(np.asarray(image, np.uint8).reshape(shape), tuple(steps))


def _digit(image: Image.Image, shape: Shape) -> PreparedPicture:
    colours = np.asarray(image.convert("RGB"), np.float64) / 255
    grey = np.asarray(image.convert("L"), np.float64) / 255
    inside = _inside_frame(grey)
    ink, how = _ink(grey[inside], colours[inside])
    cropped = _cropped_to_ink(np.clip(ink - _INK_FLOOR, 0, None) / (1 - _INK_FLOOR))
    box = round(20 / 28 * min(shape[:2]))
    scaled = _scaled_to_fit(cropped, box)
    placed = _centred_by_mass(scaled, shape[:2])
    steps = [*(["frame removed"] if ink.shape != grey.shape else []), *how]
    steps += [
        f"cropped to its ink, {cropped.shape[1]} x {cropped.shape[0]}",
        f"scaled to {scaled.shape[1]} x {scaled.shape[0]} of {shape[1]} x {shape[0]}",
        "centred by mass",
    ]
    pixels = (255 * placed / placed.max()).round().astype(np.uint8)
    return PreparedPicture(np.repeat(pixels[..., None], shape[2], axis=2), tuple(steps))


def _inside_frame(grey: Float[np.ndarray, "H W"]) -> tuple[slice, slice]:
    """The inside of a thin frame of uniform grey at the edge, or everything without a frame.

    Just inside a frame, pixels must be paper, like most of the others, and differ from the frame.
    """
    everything = (slice(None), slice(None))
    frame = np.median(_edge(grey))
    differs = np.abs(grey - frame) > _GREY_TOLERANCE
    rows, columns = _behind_frame(differs.any(axis=1)), _behind_frame(differs.any(axis=0))
    if rows is None or columns is None:
        return everything
    inside = (rows, columns)
    paper = np.median(grey[inside])
    is_paper = np.mean(np.abs(_edge(grey[inside]) - paper) <= _GREY_TOLERANCE) > _MIN_PAPER_SHARE
    return inside if is_paper and abs(paper - frame) > _GREY_TOLERANCE else everything


def _behind_frame(differs: Bool[np.ndarray, " n"]) -> slice | None:
    """The range between two thin frame edges, less blurred pixels; None without such edges."""
    size, indices = len(differs), np.flatnonzero(differs)
    if not len(indices):
        return None
    blur = 1 + size // 50
    first, last = indices[0], size - 1 - indices[-1]
    thin = min(first, last) >= 1 and max(first, last) <= max(1, _MAX_FRAME_SHARE * size)
    inner = slice(first + blur, size - last - blur)
    return inner if thin and inner.stop - inner.start > 2 else None


def _edge(grey: Float[np.ndarray, "H W ..."]) -> Float[np.ndarray, "n ..."]:
    """The outermost pixels."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _ink(
    grey: Float[np.ndarray, "H W"], colours: Float[np.ndarray, "H W 3"]
) -> tuple[Float[np.ndarray, "H W"], list[str]]:
    """The ink in each pixel, from 0 to 1, and how it was separated from the background."""
    background = float(np.median(_edge(grey)))
    dark = background - grey.min() > grey.max() - background
    ink = np.clip(background - grey if dark else grey - background, 0, None)
    coloured = np.abs(colours - np.median(_edge(colours), axis=0)).max(axis=2)
    if coloured.max() > _MIN_COLOUR_RATIO * ink.max():
        ink, how = coloured, ["detected by its colour"]
    else:
        how = ["inverted (dark on light)"] if dark else []
    if ink.max() < _MIN_CONTRAST:
        raise UserError("shows no digit: all its pixels are nearly equal")
    return ink / ink.max(), how


def _cropped_to_ink(ink: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
    rows = np.flatnonzero((ink > _INK_THRESHOLD).any(axis=1))
    columns = np.flatnonzero((ink > _INK_THRESHOLD).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled_to_fit(ink: Float[np.ndarray, "h w"], box: int) -> Float[np.ndarray, "h w"]:
    height, width = ink.shape
    scale = box / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    image = Image.fromarray(ink.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(image, np.float64), 0, 1)


def _centred_by_mass(
    ink: Float[np.ndarray, "h w"], shape: tuple[int, int]
) -> Float[np.ndarray, "H W"]:
    """The ink on an empty image, its centre of mass in the middle as far as the ink fits."""
    placed = np.zeros(shape)
    corner = []
    for axis, size in enumerate(shape):
        mass = ink.sum(axis=1 - axis)
        centre = float((mass * np.arange(len(mass))).sum() / mass.sum())
        first = round((size - 1) / 2 - centre)
        corner.append(min(max(first, 0), size - len(mass)))
    placed[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]] = ink
    return placed
