"""Data sets by name: found, read from what was decoded before, sliced."""

from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from ffnn_jax.config import UserError, suggestion
from ffnn_jax.data._cache import Decoded, decoded
from ffnn_jax.data._dataset import Dataset
from ffnn_jax.data._folders import (
    PreparedSet,
    data_dir,
    find_prepared,
    local_folder,
    prepared_names,
)
from ffnn_jax.data._slices import Slice, parse_split


class NotPreparedError(UserError):
    """A data set that tensorflow-datasets knows is not in the folder."""


def split_names(name: str, folder: str | Path | None = None) -> tuple[str, ...]:
    """The names of a data set's splits.

    Raises:
        UserError: the data set is unknown or not prepared.
    """
    return tuple(_find(name, folder).shard_lengths)


def load(
    name: str, split: str, *, original_order: bool = False, folder: str | Path | None = None
) -> Dataset:
    """A split of a data set, or a part of one.

    Any set of tensorflow-datasets works that has one image of one size and one class label.
    ``mnist_5k`` is prepared on first use; any other must have been prepared before, by
    ``ffnn_jax.data.preparation.prepare`` or by tensorflow-datasets. What is decoded is kept in
    files that the next call maps into memory.

    Args:
        name: the data set's name in tensorflow-datasets, as in "mnist" or "emnist/balanced".
        split: the split in tensorflow-datasets' language, as in "train", "train[:20000]",
            "train[90%:]" or "train+test".
        original_order: count examples in the order of the original files, where the set records
            it, instead of tensorflow-datasets' order.
        folder: where prepared sets are; ``data_dir()`` if not given.

    Raises:
        UserError: the data set or the split is unknown, not prepared, damaged, not labelled images
            of one size, or does not record its original order.
    """
    return _load(_find(name, folder), name, split, original_order)


def first_images(name: str, split: str, count: int | None, folder: str | Path | None) -> Dataset:
    """The first images of a split, in their original order where the set records it.

    All of them, as they are, where no count is given or there are no more than that.
    """
    prepared = _find(name, folder)
    if count is None or count >= sum(prepared.shard_lengths.get(split, ())):
        return load(name, split, folder=folder)
    return _load(prepared, name, f"{split}[:{count}]", original_order=None)


def _load(prepared: PreparedSet, name: str, split: str, original_order: bool | None) -> Dataset:
    try:
        slices = parse_split(split, prepared.shard_lengths)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    parts = [_part(prepared, at, original_order) for at in slices]
    return Dataset(
        f"{name}/{split}",
        _joined([images for images, _, _ in parts]),
        _joined([labels for _, labels, _ in parts]),
        parts[0][2],
        f"{prepared.name}/{prepared.version}",
    )


def _part(
    prepared: PreparedSet, at: Slice, original_order: bool | None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images, labels and class names; None means the original order where it is recorded."""
    kept = decoded(prepared, at.split)
    _require_recorded(prepared, at.split, kept)
    if original_order is None:
        original_order = len(kept.original_order) > 0
    rows: slice | np.ndarray = slice(at.start, at.stop)
    if original_order:
        if not len(kept.original_order):
            unknown = "does not record the order of its original files"
            raise UserError(f"{prepared.name}/{at.split} {unknown}")
        rows = kept.original_order[at.start : at.stop]
    return kept.images[rows], kept.labels[rows], kept.class_names


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _require_recorded(prepared: PreparedSet, split: str, kept: Decoded) -> None:
    """Rejects a set that bears the name of a recorded one and is another."""
    from ffnn_jax.data.preparation import recorded_of

    recorded = recorded_of(prepared).get(split)
    if recorded is None:
        return
    if kept.sha256 != recorded:
        has = f"has SHA-256 {kept.sha256}, {prepared.name} has {recorded}"
        what = f"{prepared.folder}: {split} {has}"
        raise UserError(f"{what}; move that folder away and prepare it anew")


def _find(name: str, folder: str | Path | None) -> PreparedSet:
    """The prepared set; ``mnist_5k``, which needs nothing, is prepared where it is not."""
    folder = local_folder(folder) if folder else data_dir()
    prepared = find_prepared(name, folder)
    if prepared is None and name == "mnist_5k":
        return _prepared_digits(name, folder)
    if prepared is None:
        raise not_prepared(name, folder)
    return prepared


def _prepared_digits(name: str, folder: Path) -> PreparedSet:
    """The digits, prepared in the folder, or with the user's caches where that is not possible."""
    from ffnn_jax.data.preparation import prepare

    try:
        return prepare(name, folder=folder)
    except UserError:
        return prepare(name, folder=user_cache_path("ffnn_jax") / "tensorflow_datasets")


def not_prepared(name: str, folder: Path) -> UserError:
    """Says that a data set is unknown, or how to prepare it."""
    import tensorflow_datasets as tfds

    from ffnn_jax.data.preparation import RECIPES

    if name in RECIPES:
        command = f"ffnn-jax data prepare {name}"
        return NotPreparedError(f"data set {name!r} is not prepared in {folder}: {command}")
    known = tfds.list_builders(with_community_datasets=False)
    if name.partition("/")[0] not in known:
        near = suggestion(name, {*known, *RECIPES, *prepared_names(folder)})
        return UserError(f"unknown data set {name!r} (tensorflow-datasets has none so named){near}")
    command = f"tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
    return UserError(
        f"data set {name!r} is not prepared in {folder}; where TensorFlow is installed, "
        f'python -c "import tensorflow_datasets as tfds; {command}" prepares it'
    )
