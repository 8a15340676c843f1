"""Picture files of any size and mode, converted to the pixels that a network takes.

Pictures for a model of digits are prepared as MNIST's were: each digit is light on dark, cropped to
its ink, scaled to fit 20 x 20 of 28 x 28 pixels, and placed with its centre of mass in the middle.
Other pictures are cropped to the network's aspect ratio and scaled.
"""

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import scipy
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from ffnn_jax.config import UserError
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

    Hidden files, whose names begin with a dot, are left out.
    What the folders hold beside pictures is added to ``skipped``; one without any is a UserError.
    """
    readable = _SUFFIXES | _PLUGINS.keys() & Image.registered_extensions().keys()
    for path in map(Path, paths):
        inner = path.rglob("[!.]*") if path.is_dir() else ()
        files = sorted(file for file in inner if file.is_file())
        inside = [file for file in files if file.suffix.lower() in readable]
        if path.is_dir() and not inside:
            said = f"; {skipped_line(files)}" if files else ""
            kinds = ", ".join(sorted(_SUFFIXES))
            raise UserError(f"{path}: a folder without pictures ({kinds}){said}")
        if skipped is not None:
            skipped += sorted({*files} - {*inside})
        yield from inside or [path]


def skipped_line(skipped: Sequence[Path]) -> str:
    """What to say of files that were not read: how many, the first, and what would read them."""
    plugins = {_PLUGINS[end] for file in skipped if (end := file.suffix.lower()) in _PLUGINS}
    hint = f"; {' and '.join(sorted(plugins))} would let Pillow read some" if plugins else ""
    names = ", ".join(str(file) for file in skipped[:3]) + (", ..." if len(skipped) > 3 else "")
    return f"{len(skipped)} files are not pictures: {names}{hint}"


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
    if not digits:
        prepared, warning = [_plain(image, shape, form)], None
    else:
        scale = max(1, max(image.size) / _WORKING_SIZE)
        size = [max(round(length / scale), 1) for length in image.size]
        from ffnn_jax.models._digits import find_digits  # loads scipy, which no other run needs

        small = image.convert("RGB").resize(size, Image.Resampling.BOX)
        found, how, warning = find_digits(np.asarray(small, np.float64) / 255)
        if not found:
            raise UserError(f"{path}: shows no digit: {warning}")
        prepared, steps = [_placed(*one, scale, shape, form) for one in found], [*steps, *how]
    return [
        dataclasses.replace(one, steps=(*steps, *one.steps), warning=warning) for one in prepared
    ]


def _pixels(image: Image.Image, shape: Shape) -> UInt8[np.ndarray, "H W C"]:
    grey_or_colour = image.convert("L" if shape[2] == 1 else "RGB")
    return np.asarray(grey_or_colour, np.uint8).reshape(shape)


def _read(path: Path) -> tuple[Image.Image, list[str]]:
    """The picture, upright, in RGB or grey, and the steps taken so far."""
    if not path.is_file():
        raise UserError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            steps = [f"{opened.width} x {opened.height}, {opened.mode}"]
            steps += ["first frame"] * (getattr(opened, "n_frames", 1) > 1)
            image, flattened = _in_8_bits(ImageOps.exif_transpose(opened))
            return image, steps + flattened
    except Image.DecompressionBombError:
        raise UserError(f"{path}: too large, at most {MAX_PIXELS:,} pixels are allowed") from None
    except UnidentifiedImageError:
        plugin = _PLUGINS.get(path.suffix.lower())
        hint = f" that this Pillow reads; {plugin} adds {path.suffix[1:].upper()}" if plugin else ""
        raise UserError(f"{path}: not a picture{hint}") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _in_8_bits(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture with 8 bits per channel, without transparency, and how it was flattened."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float64))
        least = 1 if image.mode == "F" else 255
        top = next((one for one in (least, 255) if values.max(initial=0) <= one), 65535)
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8)), []
    if "A" not in image.getbands() and "transparency" not in image.info:
        return (image if image.mode == "L" else image.convert("RGB")), []
    image = image.convert("RGBA")
    for colour in ("white", "black"):  # on black if nothing would show on white
        background = Image.new("RGBA", image.size, colour)
        flat = Image.alpha_composite(background, image).convert("RGB")
        if np.ptp(np.asarray(flat), axis=(0, 1)).max() > 255 * _MIN_CONTRAST:
            break
    opaque = image.getchannel("A").getextrema() == (255, 255)
    return flat, [] if opaque else [f"flattened onto {colour}"]


def _plain(image: Image.Image, shape: Shape, form: ImageForm) -> PreparedPicture:
    """The middle of the picture in the network's size."""
    height, width, _ = shape
    scale = min(image.width / width, image.height / height)
    size = (max(round(scale * width), 1), max(round(scale * height), 1))
    steps = [f"cropped to the middle {size[0]} x {size[1]}"] * (size != image.size)
    steps += [f"scaled to {width} x {height}"] * (size != (width, height))
    left, top = ((whole - part) // 2 for whole, part in zip(image.size, size, strict=True))
    image = image.crop((left, top, left + size[0], top + size[1]))
    pixels = _pixels(image.resize((width, height), Image.Resampling.LANCZOS), shape)
    pixels, last = form.applied(pixels, light_on_dark(pixels[None]))
    return PreparedPicture(pixels, (*steps, *last))


def _placed(
    ink: Float[np.ndarray, "h w"], box: Sequence[int], scale: float, shape: Shape, form: ImageForm
) -> PreparedPicture:
    """The digit on an empty image, its centre of mass in the middle as far as its ink fits."""
    rows, columns = (np.flatnonzero((ink > _INK_THRESHOLD).any(axis=axis)) for axis in (1, 0))
    image = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype("f4"))
    side = round(20 / 28 * min(shape[:2]))
    size = [max(round(side * length / max(image.size)), 1) for length in image.size]
    ink = np.clip(np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float64), 0, 1)
    placed, centre = np.zeros(shape), scipy.ndimage.center_of_mass(ink)
    first = [round((n - 1) / 2 - c) for n, c in zip(shape, centre, strict=False)]
    y, x = (min(max(k, 0), n - m) for k, n, m in zip(first, shape, ink.shape, strict=False))
    placed[y : y + ink.shape[0], x : x + ink.shape[1]] = ink[..., None] / ink.max()
    pixels, last = form.applied((255 * placed).round().astype(np.uint8), light=True)
    left, top, right, bottom = (round(scale * edge) for edge in box)
    steps = [
        f"cropped to its ink, {right - left} x {bottom - top}",
        f"scaled to {ink.shape[1]} x {ink.shape[0]} of {shape[1]} x {shape[0]}",
        "centred by mass",
    ]
    return PreparedPicture(pixels, (*steps, *last), (left, top, right, bottom))
