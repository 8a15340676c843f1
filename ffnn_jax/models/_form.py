"""What all images of a training set have in common, measured so that pictures can be given it."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt8

Image = UInt8[np.ndarray, "H W C"]
Images = UInt8[np.ndarray, "N H W C"]
_SAMPLE, _MOST = 2000, 0.9
_DIGITS = tuple("0123456789")


@dataclasses.dataclass(frozen=True)
class ImageForm:
    """The polarity, orientation and centring of a training set; by default MNIST's.

    Attributes:
        light_on_dark: whether things are light on black, or dark on white; None if neither.
        transposed: whether rows and columns are exchanged, as in EMNIST.
        offset: the farthest that an image's centre of mass lies from its middle, in pixels.
    """

    light_on_dark: bool | None = True
    transposed: bool = False
    offset: float = 1.5

    def fits(self, image: Image) -> bool:
        """Whether an image has this form already."""
        light = light_on_dark(image[None])
        if light is None or light != self.light_on_dark:
            return False
        return bool(np.abs(_centres_and_spreads(image[None], light)[0]).max() <= self.offset)

    def applied(self, image: Image, light: bool | None) -> tuple[Image, tuple[str, ...]]:
        """An upright image, light on dark or not, in this form, and the steps that it took."""
        steps, known = (), None not in (light, self.light_on_dark)
        if known and light != self.light_on_dark:
            image, steps = 255 - image, ("inverted, as the training images are",)
        if self.transposed:
            image = image.swapaxes(0, 1)
            steps += ("transposed, as the training images are",)
        return image, steps


MNIST_FORM = ImageForm()


def measure_form(
    images: Images, labels: Int[np.ndarray, " N"], names: tuple[str, ...], dataset: str = ""
) -> ImageForm:
    """The form of training images.

    Orientation is measured on digits alone: a transposed one is wider than tall. Of other images it
    is known for EMNIST only, whose images tensorflow-datasets delivers transposed.
    """
    light, transposed, offset = light_on_dark(images[:_SAMPLE]), dataset.startswith("emnist"), 0.0
    if light is not None:
        offset = 1.5 * float(np.abs(_centres_and_spreads(images[:_SAMPLE], light)[0]).max())
        ones = images[labels == 1][:_SAMPLE]
        if names == _DIGITS and len(ones):
            down, across = _centres_and_spreads(ones, light)[1].mean(axis=1)
            transposed = bool(across > down)
    return ImageForm(light, transposed, offset)


def light_on_dark(images: Images) -> bool | None:
    """Whether nearly all images have black edges (True), white ones (False), or neither (None)."""
    edges = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    medians = np.median(edges, axis=(1, 2))
    black, white = (medians < 32).mean() > _MOST, (medians > 223).mean() > _MOST
    return bool(black) if black or white else None


def _centres_and_spreads(images: Images, light: bool) -> Float[np.ndarray, "2 2 N"]:
    """Each image's centre of mass from its middle, and the variance about it, down and across."""
    ink = (images if light else 255 - images).mean(axis=3)
    ink /= np.maximum(ink.sum(axis=(1, 2), keepdims=True), 1)
    shares = [ink.sum(axis=2), ink.sum(axis=1)]
    places = [np.arange(share.shape[1]) - (share.shape[1] - 1) / 2 for share in shares]
    centres = np.array([share @ place for share, place in zip(shares, places, strict=True)])
    squares = [share @ place**2 for share, place in zip(shares, places, strict=True)]
    return np.array([centres, squares - centres**2])
