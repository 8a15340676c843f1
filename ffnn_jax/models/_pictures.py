"""Picture files of any size and mode, converted to the pixels that a network takes.

Pictures for a model of digits are prepared as MNIST's were: each digit is light on dark, cropped to
its ink, scaled to fit 20 x 20 of 28 x 28 pixels, and placed with its centre of mass in the middle.
Other pictures are cropped to the network's aspect ratio and scaled.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy
from jaxtyping import Float, UInt8
from PIL import Image

from ffnn_jax._picture_files import cropped_and_scaled, pixels_of, read_picture
from ffnn_jax.config import UserError
from ffnn_jax.models._form import MNIST_FORM, ImageForm, light_on_dark

_WORKING_SIZE, _INK_THRESHOLD = 480, 0.3

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
    with warnings.catch_warnings(action="ignore"):
        image, steps = read_picture(Path(path))
    same = (image.height, image.width) == shape[:2]
    if same and form.fits(pixels := pixels_of(image, shape)):
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


def _plain(image: Image.Image, shape: Shape, form: ImageForm) -> PreparedPicture:
    """The middle of the picture in the network's size."""
    image, steps = cropped_and_scaled(image, *shape[:2])
    pixels = pixels_of(image, shape)
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
