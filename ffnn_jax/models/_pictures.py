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
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from ffnn_jax.config import UserError
from ffnn_jax.models._digits import Digit, Found, find_digits
from ffnn_jax.models._form import MNIST_FORM, ImageForm, light_on_dark

MAX_PIXELS = 50_000_000
_WORKING_SIZE, _INK_THRESHOLD, _MIN_CONTRAST = 480, 0.3, 0.05
_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_PLUGINS = {".heic": "pillow-heif", ".heif": "pillow-heif", ".avif": "pillow-avif-plugin"}
# Raised by Pillow for files that are truncated, altered, or hostile.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, MemoryError)

Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class PreparedPicture:
    """A picture as a network sees it, and the steps that prepared it.

    Attributes:
        pixels: uint8 pixels, in the network's input shape.
        steps: the preparation steps, in order.
        box: (left, top, right, bottom) of the digit in the picture; None for a whole picture.
        warning: why it may show no digit.
    """

    pixels: UInt8[np.ndarray, "H W C"]
    steps: tuple[str, ...]
    box: tuple[int, int, int, int] | None = None
    warning: str | None = None


def picture_files(paths: Sequence[str | Path], skipped: list[Path] | None = None) -> Iterator[Path]:
    """The files, with each folder replaced by the pictures in it and its subfolders, sorted.

    Args:
        paths: files and folders.
        skipped: a list to which the folders' files that are not pictures are added.

    Raises:
        UserError: a folder contains no pictures.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        files = sorted(file for file in path.rglob("*") if file.is_file())
        inside = [file for file in files if file.suffix.lower() in _SUFFIXES | _plugged_in()]
        if not inside:
            kinds = ", ".join(sorted(_SUFFIXES))
            said = f"; {skipped_line(files)}" if files else ""
            raise UserError(f"{path}: a folder without pictures ({kinds}){said}")
        if skipped is not None:
            skipped += sorted({*files} - {*inside})
        yield from inside


def skipped_line(skipped: Sequence[Path]) -> str:
    """What to say of files that were not read: how many, the first, and what would read them."""
    plugins = {_PLUGINS[end] for file in skipped if (end := file.suffix.lower()) in _PLUGINS}
    hint = f"; {' and '.join(sorted(plugins))} would let Pillow read some" if plugins else ""
    names = ", ".join(str(file) for file in skipped[:3]) + (", ..." if len(skipped) > 3 else "")
    return f"{len(skipped)} files are not pictures: {names}{hint}"


def _plugged_in() -> set[str]:
    """The suffixes of _PLUGINS that this Pillow reads."""
    return set(_PLUGINS) & set(Image.registered_extensions())


def prepare_picture(
    path: str | Path, shape: Shape, digits: bool, form: ImageForm = MNIST_FORM
) -> PreparedPicture:
    """The first of ``prepare_pictures``."""
    return prepare_pictures(path, shape, digits, form)[0]


def prepare_pictures(
    path: str | Path, shape: Shape, digits: bool, form: ImageForm = MNIST_FORM
) -> list[PreparedPicture]:
    """Reads a picture file and gives it, or each of its digits, the training images' form.

    Args:
        path: the file.
        shape: the network's (height, width, channels).
        digits: whether to find its digits, and prepare each as MNIST's were.
        form: the training images' form; a picture that has it is left alone.

    Raises:
        UserError: the file cannot be read, is too large, or shows no digit.
    """
    image, steps = _read(Path(path))
    same = (image.height, image.width) == shape[:2]
    if same and form.fits(pixels := _pixels(image, shape)):
        return [PreparedPicture(pixels, tuple(steps))]
    try:
        prepared = _digits(image, shape, form) if digits else [_plain(image, shape, form)]
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return [dataclasses.replace(one, steps=(*steps, *one.steps)) for one in prepared]


def _pixels(image: Image.Image, shape: Shape) -> UInt8[np.ndarray, "H W C"]:
    grey_or_colour = image.convert("L" if shape[2] == 1 else "RGB")
    return np.asarray(grey_or_colour, np.uint8).reshape(shape)


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
        plugin = _PLUGINS.get(path.suffix.lower())
        hint = f" that this Pillow reads; {plugin} adds {path.suffix[1:].upper()}" if plugin else ""
        raise UserError(f"{path}: not a picture{hint}") from None
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


def _plain(image: Image.Image, shape: Shape, form: ImageForm) -> PreparedPicture:
    height, width, _ = shape
    image = image.convert("L" if shape[2] == 1 else "RGB")
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
    pixels, edges = _pixels(image, shape), light_on_dark(_pixels(image, shape)[None])
    if None not in (edges, form.light_on_dark) and edges != form.light_on_dark:
        pixels = 255 - pixels
        steps.append("inverted, as the training images are")
    pixels, turned = form.turned(pixels)
    return PreparedPicture(pixels, (*steps, *turned))


def _digits(image: Image.Image, shape: Shape, form: ImageForm) -> list[PreparedPicture]:
    """Every digit in the picture, as MNIST's were prepared."""
    scale = max(1, max(image.size) / _WORKING_SIZE)
    size = (max(round(image.width / scale), 1), max(round(image.height / scale), 1))
    small = image.convert("RGB").resize(size, Image.Resampling.BOX)
    found = find_digits(np.asarray(small, np.float64) / 255)
    if not found.digits:
        raise UserError(f"shows no digit: {found.warning}")
    return [_placed(digit, scale, shape, form, found) for digit in found.digits]


def _placed(
    digit: Digit, scale: float, shape: Shape, form: ImageForm, found: Found
) -> PreparedPicture:
    ink = _cropped(digit.ink)
    scaled = _scaled_to_fit(ink, round(20 / 28 * min(shape[:2])))
    placed = _centred_by_mass(scaled, shape[:2])
    left, top, right, bottom = (round(scale * edge) for edge in digit.box)
    steps = (
        *found.steps,
        f"cropped to its ink, {right - left} x {bottom - top}",
        f"scaled to {scaled.shape[1]} x {scaled.shape[0]} of {shape[1]} x {shape[0]}",
        "centred by mass",
    )
    pixels = (255 * placed / placed.max()).round().astype(np.uint8)
    pixels, last = form.applied(np.repeat(pixels[..., None], shape[2], axis=2))
    return PreparedPicture(pixels, steps + last, (left, top, right, bottom), found.warning)


def _cropped(ink: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "h w"]:
    rows, columns = (np.flatnonzero((ink > _INK_THRESHOLD).any(axis=axis)) for axis in (1, 0))
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
