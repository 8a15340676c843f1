"""Data sets by name: found, read from the cache, sliced, and in the three splits of a run."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from platformdirs import user_cache_path

from ffnn_jax.config import UserError, suggestion
from ffnn_jax.data._cache import read_decoded
from ffnn_jax.data._dataset import IN_MEMORY, Dataset, OnProgress
from ffnn_jax.data._decode import Reader, features_of, quiet
from ffnn_jax.data._folders import (
    PreparedSet,
    data_dir,
    find_prepared,
    prepared_names,
    temporary_folder,
)
from ffnn_jax.data._slices import Slice, parse_split
from ffnn_jax.data.own import is_path, own_path

if TYPE_CHECKING:
    from ffnn_jax.data.own._read import OwnSet


class NotPreparedError(UserError):
    """A data set that can be prepared here is not in the data folder."""


def full_name(name: str) -> str:
    """The name of a set of tensorflow-datasets, or the absolute path of one's own files."""
    return str(own_path(name)) if is_own(name) else name


def split_names(
    name: str, folder: str | Path | None = None, size: int | None = None
) -> tuple[str, ...]:
    """The names of a data set's splits.

    Raises:
        UserError: the data set is unknown, not prepared, or cannot be read.
    """
    return tuple(_find(name, folder, size).shard_lengths)


def load(
    name: str, split: str, *, original_order: bool = False, folder: str | Path | None = None,
    size: int | None = None, skip_damaged: bool = False, on_progress: OnProgress | None = None,
) -> Dataset:  # fmt: skip
    """Loads a split of a data set, or a part of one.

    Any set of tensorflow-datasets with one fixed-size image and one class label works, and files of
    one's own: a folder with a sub-folder of pictures for each class, an .npz, a .csv, or a folder
    of CSV or IDX files. Splits that files do not give, by a word such as "train" in the names of
    folders, files or arrays, are drawn of each class by a fixed seed.
    ``mnist_5k`` is prepared on first use; any other set must have been prepared before, by
    ``ffnn_jax.data.preparation.prepare`` or by tensorflow-datasets. Decoded images are cached in
    files that the next call maps into memory.

    Args:
        name: the data set's name in tensorflow-datasets, as in "mnist" or "emnist/balanced", or the
            path of one's own, as in "./pictures"; a path without a dot must not be such a name.
        split: the split in tensorflow-datasets' syntax, as in "train", "train[:20000]",
            "train[90%:]" or "train+test".
        original_order: whether to use the order of the original files, which the set must record,
            instead of tensorflow-datasets' order.
        folder: the folder of the prepared sets; ``data_dir()`` if not given.
        size: one's own pictures are cropped to their middle square and scaled to size x size;
            needed where they differ in size.
        skip_damaged: leaves out pictures of one's own that cannot be read.
        on_progress: receives a message, the number of images decoded, and that of all.

    Raises:
        UserError: the data set or the split is unknown, not prepared or damaged, does not consist
            of labelled images of one size, or does not record its original order.
    """
    found = _find(name, folder, size, skip_damaged, on_progress)
    return _load(found, name, split, original_order)


class Splits(NamedTuple):
    """Training, validation and test images; validation is None if the set has no such split."""

    train: Dataset
    validation: Dataset | None
    test: Dataset


def load_splits(
    name: str, folder: str | Path | None = None, train_images: int | None = None, *,
    size: int | None = None, skip_damaged: bool = False, on_progress: OnProgress | None = None,
) -> Splits:  # fmt: skip
    """Reads the splits "train", "validation" (if there is one) and "test" of a data set.

    Args:
        name: the data set's name, or the path of one's own files, as for ``load``.
        folder: the folder of the prepared sets; ``data_dir()`` if not given.
        train_images: the number of training images to read, the first in the order of the original
            files if the set records it; all of them if not given or if there are fewer.
        size: the size of one's own pictures, as for ``load``.
        skip_damaged: leaves out damaged pictures of one's own.
        on_progress: receives a message, the number of images decoded, and that of all.

    Raises:
        UserError: the data set is unknown, not prepared, or has no "train" or "test".
    """
    prepared = _find(name, folder, size, skip_damaged, on_progress)
    names = prepared.shard_lengths
    for needed in ("train", "test"):
        if needed not in names:
            raise UserError(f"{name} has no split {needed!r} (available: {', '.join(names)})")
    some = train_images is not None and train_images < sum(names["train"])
    wanted = (f"train[:{train_images}]", None) if some else ("train", False)
    train = _load(prepared, name, *wanted)
    validation = _load(prepared, name, "validation", False) if "validation" in names else None
    return Splits(train, validation, _load(prepared, name, "test", False))


def image_shape(
    name: str, folder: str | Path | None = None, size: int | None = None
) -> tuple[int, int, int]:
    """(height, width, channels) of a data set's images; none is read but of one's own.

    The shape comes from the set prepared in the folder, by default ``data_dir()``, or from the
    set's builder in tensorflow-datasets.

    Raises:
        UserError: the data set is unknown, or does not have one fixed-size image and one label.
    """
    folder = data_dir(folder)
    if name == IN_MEMORY:
        raise UserError("the run's images were arrays in memory: add --shape, as in 28x28x1")
    if is_own(name, folder):
        from ffnn_jax.data.own._read import read_own

        height, width, channels = read_own(own_path(name), size, True).decoded.images.shape[1:]
        return height, width, channels
    prepared = find_prepared(name, folder)
    if prepared is not None:
        return Reader(prepared).features.image_shape
    with quiet():
        import tensorflow_datasets as tfds

        import ffnn_jax.data.preparation._mnist_5k  # noqa: F401  registers mnist_5k

        try:
            info = tfds.builder(name, data_dir=folder).info
        except Exception:  # whatever the builder raises, the shape is unknown without the files
            raise _not_prepared(name, folder) from None
    return features_of(name, info).image_shape


def survey(name: str) -> list[str]:
    """Of one's own pictures, a line for each class and one of their sizes; none is decoded.

    Raises:
        UserError: there are no such files, or they cannot be read.
    """
    from ffnn_jax.data.own._survey import survey

    return list(survey(own_path(name)))


def _load(
    prepared: "PreparedSet | OwnSet", name: str, split: str, original_order: bool | None
) -> Dataset:
    try:
        slices = parse_split(split, prepared.shard_lengths)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    parts = [_part(prepared, part, original_order) for part in slices]
    *arrays, names = zip(*parts, strict=True)
    images, labels = (one[0] if len(one) == 1 else np.concatenate(one) for one in arrays)
    if not isinstance(prepared, PreparedSet):
        short, source = f"{prepared.path.name}/{split}", str(prepared.path)
        return Dataset(short, images, labels, names[0], source, prepared.remarks)
    source = f"{prepared.name}/{prepared.version}"
    return Dataset(f"{name}/{split}", images, labels, names[0], source)


def _part(
    prepared: "PreparedSet | OwnSet", part: Slice, original_order: bool | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images, labels and class names; None means the original order if it is recorded."""
    if not isinstance(prepared, PreparedSet):
        images, labels, *_ = prepared.decoded
        rows = prepared.rows(part)
        return images[rows], labels[rows], prepared.decoded.class_names
    from ffnn_jax.data.preparation import require_recorded

    decoded = read_decoded(prepared, part.split)
    require_recorded(prepared, part.split, decoded.sha256)
    if original_order is None:
        original_order = len(decoded.original_order) > 0
    indices: slice | np.ndarray = slice(part.start, part.stop)
    if original_order:
        if not len(decoded.original_order):
            problem = "does not record the order of its original files"
            raise UserError(f"{prepared.name}/{part.split} {problem}")
        indices = decoded.original_order[part.start : part.stop]
    return decoded.images[indices], decoded.labels[indices], decoded.class_names


def is_own(name: str, folder: str | Path | None = None) -> bool:
    """Whether a name is that of files: written as a path, or of none that could be prepared."""
    from ffnn_jax.data.preparation import RECIPES

    if is_path(name) or name in RECIPES or not Path(name).exists():
        return is_path(name)
    return find_prepared(name, data_dir(folder)) is None


def _find(
    name: str, folder: str | Path | None, size: int | None = None, skip_damaged: bool = False,
    on_progress: OnProgress | None = None,
) -> "PreparedSet | OwnSet":  # fmt: skip
    """Finds a prepared set; ``mnist_5k``, which needs no download, is prepared if missing."""
    folder = data_dir(folder)
    if name == IN_MEMORY:
        ways = "evaluate takes others by --dataset, and fit goes on with the same"
        raise UserError(f"the run's images were arrays in memory: {ways}")
    if is_own(name, folder):
        from ffnn_jax.data.own._read import read_own  # decodes by Pillow; prepared sets need none

        return read_own(own_path(name), size, skip_damaged, on_progress)
    if size is not None:
        raise UserError(f"size is for pictures of one's own; {name} has images of one size")
    prepared = find_prepared(name, folder)
    if prepared is None and name == "mnist_5k":
        from ffnn_jax.data.preparation import prepare

        for place in (folder, user_cache_path("ffnn_jax") / "tensorflow_datasets"):
            with contextlib.suppress(UserError):
                return prepare(name, folder=place)
        remedy = "TFDS_DATA_DIR can name a lasting folder"
        return prepare(name, folder=temporary_folder(folder, remedy))
    if prepared is None:
        raise _not_prepared(name, folder)
    return prepared


def _not_prepared(name: str, folder: Path) -> UserError:
    """The error for a data set that is unknown, or for one that must be prepared."""
    import tensorflow_datasets as tfds

    from ffnn_jax.data.preparation import RECIPES

    if name in RECIPES:
        command = f"ffnn-jax data prepare {name}"
        return NotPreparedError(f"data set {name!r} is not prepared in {folder}; run: {command}")
    known = tfds.list_builders(with_community_datasets=False)
    if name.partition("/")[0] not in known:
        hint = suggestion(name, {*known, *RECIPES, *prepared_names(folder)})
        problem = "not in tensorflow-datasets, and no file or folder here"
        return UserError(f"unknown data set {name!r} ({problem}){hint}")
    command = f"tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
    return UserError(
        f"data set {name!r} is not prepared in {folder}; where TensorFlow is installed, run: "
        f'python -c "import tensorflow_datasets as tfds; {command}"'
    )
