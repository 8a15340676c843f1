"""What all images of a training set have in common, measured so that pictures can be given it."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt8

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

    def fits(self, image: UInt8[np.ndarray, "H W C"]) -> bool:
        """Whether an image has this form already."""
        light = light_on_dark(image[None])
        return light is not None and light == self.light_on_dark and (
            float(_offsets(image[None], light)[0]) <= self.offset
        )  # fmt: skip

    def applied(
        self, image: UInt8[np.ndarray, "H W C"]
    ) -> tuple[UInt8[np.ndarray, "H W C"], tuple[str, ...]]:
        """An upright image of light things on black in this form, and the steps that it took."""
        steps = ["inverted"] * (self.light_on_dark is False)
        image = 255 - image if steps else image
        turned, step = self.turned(image)
        return turned, (*steps, *step)

    def turned(
        self, image: UInt8[np.ndarray, "H W C"]
    ) -> tuple[UInt8[np.ndarray, "H W C"], tuple[str, ...]]:
        """An upright image in this form's orientation, and the steps that it took."""
        if not self.transposed:
            return image, ()
        return image.swapaxes(0, 1), ("transposed, as the training images are",)


MNIST_FORM = ImageForm()


def measure_form(
    images: UInt8[np.ndarray, "N H W C"], labels: Int[np.ndarray, " N"], names: tuple[str, ...],
    dataset: str = "",
) -> ImageForm:  # fmt: skip
    """The form of training images.

    Orientation is measured on digits alone: a transposed one is wider than tall. Of other images it
    is known for EMNIST only, whose images tensorflow-datasets delivers transposed.
    """
    light = light_on_dark(images[:_SAMPLE])
    transposed = dataset.startswith("emnist")
    if names == _DIGITS and light is not None and (labels == 1).any():
        height, width = _spread(images[labels == 1][:_SAMPLE], light)
        transposed = bool(width > height)
    offset = 0.0 if light is None else 1.5 * float(_offsets(images[:_SAMPLE], light).max())
    return ImageForm(light, transposed, offset)


def light_on_dark(images: UInt8[np.ndarray, "N H W C"]) -> bool | None:
    """Whether nearly all images have black edges (True), white ones (False), or neither (None)."""
    edges = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    medians = np.median(edges, axis=(1, 2))
    black, white = (medians < 32).mean() > _MOST, (medians > 223).mean() > _MOST
    return bool(black) if black or white else None


def _mass(images: UInt8[np.ndarray, "N H W C"], light: bool) -> Float[np.ndarray, "N H W"]:
    ink = (images if light else 255 - images).mean(axis=3)
    return ink / np.maximum(ink.sum(axis=(1, 2), keepdims=True), 1)


def _offsets(images: UInt8[np.ndarray, "N H W C"], light: bool) -> Float[np.ndarray, " N"]:
    """How far each image's centre of mass lies from its middle, the larger of both axes."""
    mass, (height, width) = _mass(images, light), images.shape[1:3]
    down = (mass.sum(axis=2) * (np.arange(height) - (height - 1) / 2)).sum(axis=1)
    across = (mass.sum(axis=1) * (np.arange(width) - (width - 1) / 2)).sum(axis=1)
    return np.maximum(np.abs(down), np.abs(across))


def _spread(images: UInt8[np.ndarray, "N H W C"], light: bool) -> tuple[float, float]:
    """The deviation of the mean image's ink, down and across, in pixels."""
    mass = _mass(images, light).mean(axis=0)
    down, across = (
        float(np.sqrt(np.cov(np.arange(len(part)), aweights=part, ddof=0)))
        for part in (mass.sum(axis=1), mass.sum(axis=0))
    )
    return down, across
