"""NumPy archives: images and labels by name, as Keras' ``x_train`` or MedMNIST's ``val_images``."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.own._paths import split_within
from ffnn_jax.data.own._source import Source, checked_images, checked_labels, source_of_arrays

_KINDS = {
    **dict.fromkeys(("x", "image", "images", "data"), "images"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "labels"),
}
_FORMS = "x_train and y_train, train_images and train_labels, or images and labels"
_DAMAGE = (
    OSError, ValueError, EOFError, KeyError, MemoryError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def npz_source(path: Path) -> Source:
    """The images and labels of an archive, which must fit into memory.

    Raises:
        UserError: it is damaged, lacks images or labels, or one of them has a wrong form.
    """
    arrays: dict[tuple[str, str], np.ndarray] = {}
    names: tuple[str, ...] = ()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                kind = next((_KINDS[w] for w in name.lower().split("_") if w in _KINDS), "")
                if kind:
                    arrays[split_within(name), kind] = archive[name]
                elif name == "class_names":
                    names = tuple(map(str, archive[name].tolist()))
            found = ", ".join(archive.files) or "nothing"
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged, or not an .npz of plain arrays ({error})") from None
    splits = dict.fromkeys(split for split, _ in arrays)
    if not splits or len(arrays) != 2 * len(splits):
        raise UserError(f"{path}: must hold {_FORMS}; it holds {found}")
    return source_of_arrays({split: _pair(path, split, arrays) for split in splits}, names)


def _pair(
    path: Path, split: str, arrays: dict[tuple[str, str], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    where = f"{path}: {split or 'all'}"
    images = checked_images(where, arrays[split, "images"])
    return images, checked_labels(where, arrays[split, "labels"], len(images))
