"""Picture files of any size and mode: found, read upright in 8 bits, cropped and scaled."""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ffnn_jax._errors import UserError

MAX_PIXELS = 50_000_000
_MIN_CONTRAST = 0.05
_GREY_MODES = ("1", "L", "LA", "La")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_PLUGINS = {".heic": "pillow-heif", ".heif": "pillow-heif", ".avif": "pillow-avif-plugin"}
# Raised by Pillow for files that are truncated, altered, or hostile.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, MemoryError)


def files_below(folder: str | Path) -> Iterator[str]:
    """The files in a folder and its sub-folders, sorted; no name begins with a dot."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        yield from (f"{place}{os.sep}{name}" for name in sorted(names) if name[0] != ".")


def is_picture(file: str | Path) -> bool:
    """Whether a file is named as a picture that Pillow reads here."""
    suffix = f".{str(file).rpartition('.')[2].lower()}"
    return suffix in _SUFFIXES or (suffix in _PLUGINS and suffix in Image.registered_extensions())


def picture_files(paths: Sequence[str | Path], skipped: list[Path] | None = None) -> Iterator[Path]:
    """The files, with each folder replaced by the pictures in it and its subfolders, sorted.

    Hidden files and folders, whose names begin with a dot, are left out.
    What the folders hold beside pictures is added to ``skipped``; one without any is a UserError.
    """
    for path in map(Path, paths):
        files = [Path(file) for file in files_below(path)]
        inside = [file for file in files if is_picture(file)]
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
    count = "1 file is" if len(skipped) == 1 else f"{len(skipped)} files are"
    return f"{count} not named as pictures: {names}{hint}"


def pixels_of(image: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """The picture's pixels in grey or colour, uint8 (H, W, C) of the shape."""
    grey_or_colour = _in_mode("L" if shape[2] == 1 else "RGB", image)
    return np.frombuffer(grey_or_colour.tobytes(), np.uint8).reshape(shape)


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    """The picture in a mode; Pillow would copy one that has it."""
    return image if image.mode == mode else image.convert(mode)


def read_picture(path: str | Path) -> tuple[Image.Image, list[str]]:
    """The picture, upright, in RGB or grey, and the steps taken so far; Pillow may warn.

    Raises:
        UserError: the file is missing, damaged, too large, or not a picture.
    """
    if not os.path.isfile(path):  # noqa: PTH113  a Path costs as much as opening a small file
        raise UserError(f"{path}: {'not a file' if Path(path).exists() else 'no such file'}")
    try:
        with io.FileIO(path) as file:
            opened = Image.open(io.BytesIO(file.read()))
        if opened.width * opened.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        steps = [f"{opened.width} x {opened.height}, {opened.mode}"]
        steps += ["first frame"] * (getattr(opened, "n_frames", 1) > 1)
        opened.load()
        if opened.info:  # which has what EXIF and XMP say
            ImageOps.exif_transpose(opened, in_place=True)
        image, flattened = _in_8_bits(opened)
        return image, steps + flattened
    except Image.DecompressionBombError:
        raise UserError(f"{path}: too large, at most {MAX_PIXELS:,} pixels are allowed") from None
    except UnidentifiedImageError:
        suffix = Path(path).suffix
        plugin = _PLUGINS.get(suffix.lower())
        hint = f" that this Pillow reads; {plugin} adds {suffix[1:].upper()}" if plugin else ""
        raise UserError(f"{path}: not a picture{hint}") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def size_of(file: str) -> tuple[int, int] | None:
    """The (width, height) that a picture's header says; None if it is damaged."""
    with contextlib.suppress(*_DAMAGE, Image.DecompressionBombError):
        if Path(file).is_file():
            with Image.open(file) as opened:
                return opened.size
    return None


def _in_8_bits(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture with 8 bits per channel, without transparency, and how it was flattened."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float64))
        least = 1 if image.mode == "F" else 255
        top = next((one for one in (least, 255) if values.max(initial=0) <= one), 65535)
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8)), []
    grey_or_colour = "L" if image.mode in _GREY_MODES else "RGB"
    if "A" not in image.getbands() and "transparency" not in image.info:
        return _in_mode(grey_or_colour, image), []
    image = image.convert("RGBA")
    for colour in ("white", "black"):  # on black if nothing would show on white
        background = Image.new("RGBA", image.size, colour)
        flat = Image.alpha_composite(background, image).convert(grey_or_colour)
        if np.ptp(np.asarray(flat), axis=(0, 1)).max() > 255 * _MIN_CONTRAST:
            break
    opaque = image.getchannel("A").getextrema() == (255, 255)
    return flat, [] if opaque else [f"flattened onto {colour}"]


def cropped_and_scaled(
    image: Image.Image, height: int, width: int
) -> tuple[Image.Image, list[str]]:
    """The middle of the picture in the aspect ratio and the size given, and the steps taken."""
    scale = min(image.width / width, image.height / height)
    size = (max(round(scale * width), 1), max(round(scale * height), 1))
    steps = [f"cropped to the middle {size[0]} x {size[1]}"] * (size != image.size)
    steps += [f"scaled to {width} x {height}"] * (size != (width, height))
    left, top = ((whole - part) // 2 for whole, part in zip(image.size, size, strict=True))
    if steps:
        image = image.crop((left, top, left + size[0], top + size[1]))
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return image, steps
