"""NumPy archives: images and labels by name, as Keras' ``x_train`` or MedMNIST's ``val_images``."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data.own._paths import by_split
from ffnn_jax.data.own._source import Source, checked_images, checked_labels, source_of_arrays

_KINDS = {
    **dict.fromkeys(("x", "image", "images", "data"), "images"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "labels"),
}
_FORMS = "x_train and y_train, train_images and train_labels, or images and labels"
_NO_ARCHIVE = "damaged, or not an .npz, as numpy.savez writes it"
_DAMAGE = (
    OSError, ValueError, EOFError, KeyError, MemoryError, NotImplementedError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def npz_source(path: Path) -> Source:
    """The images and labels of an archive, which must fit into memory.

    Raises:
        UserError: it is damaged, lacks images or labels, or one of them has a wrong form.
    """
    arrays: dict[str, np.ndarray] = {}
    names: tuple[str, ...] = ()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                if _kind(name):
                    arrays[name] = archive[name]
                elif name == "class_names":
                    names = tuple(map(str, archive[name].tolist()))
            found = ", ".join(archive.files) or "nothing"
    except _DAMAGE as error:
        objects = "holds Python objects; save text as numpy.array(labels, str)"
        problem = objects if zipfile.is_zipfile(path) and "pickle" in str(error) else _NO_ARCHIVE
        raise UserError(f"{path}: {problem}") from None
    splits, said = by_split(arrays)
    pairs = {split: sorted(names, key=_kind) for split, names in splits.items()}
    if not pairs or any([*map(_kind, pair)] != ["images", "labels"] for pair in pairs.values()):
        raise UserError(f"{path}: must hold {_FORMS}; it holds {found}")
    read = {}
    for split, (images, labels) in pairs.items():
        pixels = checked_images(f"{path}: {images}", arrays[images])
        read[split] = pixels, checked_labels(f"{path}: {labels}", arrays[labels], len(pixels))
    return source_of_arrays(read, names, str(path))._replace(remarks=said)


def _kind(name: str) -> str:
    """Whether an array is named as images or as labels; "" for neither."""
    return next((_KINDS[word] for word in name.lower().split("_") if word in _KINDS), "")
