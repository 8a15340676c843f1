"""What files hold before it is decoded: images and classes, by split where the files say so."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ffnn_jax.config import UserError

UNDIVIDED = ""
"""The split of what is not divided into splits."""


class SizesDifferError(UserError):
    """Pictures differ in size, and none is given."""


class Part(NamedTuple):
    """A split: pictures as paths (N,) or pixels as uint8 (N, H, W, C), and classes int32 (N,)."""

    images: np.ndarray
    labels: np.ndarray


class Source(NamedTuple):
    """The parts of a data set by split, the names of its classes, and what to say of it."""

    parts: dict[str, Part]
    class_names: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def source_of_arrays(
    arrays: Mapping[str, tuple[np.ndarray, np.ndarray]], names: tuple[str, ...] = (),
    where: str = "arrays",
) -> Source:  # fmt: skip
    """The source of pixels and labels by split; without names, the labels name the classes.

    Raises:
        UserError: the splits' images differ in shape, a label has no name, or two have the same.
    """
    shapes = {split: images.shape[1:] for split, (images, _) in arrays.items()}
    if len(set(shapes.values())) > 1:
        said = ", ".join(f"{split} {shape}" for split, shape in shapes.items())
        raise UserError(f"{where}: the splits' images differ in shape: {said}")
    if {labels.dtype.kind == "U" for _, labels in arrays.values()} == {True, False}:
        arrays = {split: (images, labels.astype(str)) for split, (images, labels) in arrays.items()}
    labels = np.concatenate([labels for _, labels in arrays.values()])
    values = np.unique(labels)
    if names:
        outside = labels[~np.isin(labels, np.arange(len(names)))]
        if outside.size:
            known = f"class_names has {len(names)}, for labels from 0 to {len(names) - 1}"
            raise UserError(f"{where}: label {outside[0]} has no name: {known}")
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{where}: class_names has {twice[0]!r} {names.count(twice[0])} times")
        values = np.arange(len(names))
    elif all(_is_integer(value) for value in values):
        values = np.array(sorted(values, key=int))
    order = {value: number for number, value in enumerate(values.tolist())}
    parts = {
        split: Part(images, np.array([order[label] for label in labels.tolist()], np.int32))
        for split, (images, labels) in arrays.items()
    }
    return Source(parts, printable(names or tuple(map(str, values.tolist()))))


def printable(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes, with what would move or colour a terminal as escape sequences in text."""
    return tuple(name if name.isprintable() else repr(name)[1:-1] for name in names)


def _is_integer(value: object) -> bool:
    return str(value).removeprefix("-").isdecimal()


def checked_images(where: str, images: np.ndarray) -> np.ndarray:
    """The images as uint8 (N, H, W, C).

    Raises:
        UserError: they are not images, or their channels come first, or they are not 0..255.
    """
    if images.ndim < 2 or images.dtype.kind not in "uif":
        found = f"{images.dtype} {images.shape}"
        raise UserError(f"{where}: images must be numbers (N, H, W) or (N, H, W, C), got {found}")
    images = np.ascontiguousarray(images)
    if images.ndim == 2:
        images = images.reshape(len(images), *square_shape(where, images.shape[1]))
    if images.ndim == 3:
        images = images[..., None]
    if not len(images):
        raise UserError(f"{where}: holds no images")
    if images.ndim != 4 or not images.size:
        raise UserError(f"{where}: images must be (N, H, W) or (N, H, W, C), got {images.shape}")
    if images.shape[1] in (1, 3) and images.shape[3] > 4:
        moved = "numpy.moveaxis(images, 1, -1)"
        raise UserError(f"{where}: images {images.shape} have their channels first; save {moved}")
    if images.dtype == np.uint8:
        return images
    least, most = images.min(), images.max()
    finite = images.dtype.kind in "iu" or np.isfinite(images).all()
    whole = finite and (images.dtype.kind in "iu" or (images % 1 == 0).all())
    if not whole or not 0 <= least <= most <= 255 or most <= 1:
        ends = "with NaN" if np.isnan(least) else f"from {least:g} to {most:g}"
        found = f"{images.dtype} {ends}"
        hint = "; multiply by 255 and round" if 0 <= least <= most <= 1 else ""
        raise UserError(f"{where}: pixels must be whole numbers from 0 to 255, got {found}{hint}")
    return images.astype(np.uint8)


def square_shape(where: str, pixels: int) -> tuple[int, int, int]:
    """(H, W, C) of that many pixels in a row: a square in grey or, channels last, in colour."""
    for channels in (1, 3):
        side = round((pixels / channels) ** 0.5)
        if side * side * channels == pixels > 0:
            return side, side, channels
    allowed = "S x S of grey, or S x S x 3 of colour"
    raise UserError(f"{where}: {pixels:,} pixels an image are no square: {allowed}")


def checked_labels(where: str, labels: np.ndarray, count: int) -> np.ndarray:
    """The labels as (N,), of any integer type or text.

    Raises:
        UserError: they are not one label an image.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype == object:  # as a column of text in pandas
        labels = np.array(labels.tolist())
    if labels.shape != (count,):
        several = f"labels {labels.shape} for {count:,} images; save numpy.argmax(labels, 1)"
        counts = f"{labels.size:,} labels for {count:,} images, (N, H, W) or (N, H, W, C)"
        raise UserError(f"{where}: {several if labels.ndim == 2 else counts}")
    if labels.dtype.kind not in "iuU":
        raise UserError(f"{where}: labels must be whole numbers or text, got {labels.dtype}")
    return labels
