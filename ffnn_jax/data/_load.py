"""Data sets by name: found, prepared where that needs nothing, and read."""

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.config import Refusal, suggestion
from ffnn_jax.data._dataset import Dataset

_READ_AT_ONCE = 1000


def data_dir() -> Path:
    """The folder of tensorflow-datasets: TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def split_names(name: str) -> tuple[str, ...]:
    """The names of a data set's splits.

    Raises:
        Refusal: the data set is unknown, not prepared, or not labelled images of one size.
    """
    return tuple(_builder(name).info.splits)


def load(name: str, split: str) -> Dataset:
    """Reads one split of a data set into memory.

    ``mnist_5k`` is prepared on first use; any other data set must have been prepared as
    array_record files in ``data_dir()``.

    Args:
        name: the data set's name in tensorflow-datasets, such as "mnist".
        split: the split's name, such as "train".

    Returns:
        The images in tensorflow-datasets' order.

    Raises:
        Refusal: the data set or the split is unknown, not prepared, or not labelled images of
            one size.
    """
    builder = _builder(name)
    if split not in builder.info.splits:
        known = ", ".join(builder.info.splits)
        raise Refusal(f"{name} has no split {split!r} (it has: {known})")
    label = builder.info.features["label"]
    names = tuple(label.int2str(index) for index in range(label.num_classes))
    return Dataset(f"{name}/{split}", *_read(builder, split), names)


def _builder(name: str) -> Any:
    with _quiet():
        import tensorflow_datasets as tfds

        from ffnn_jax.data._mnist_5k import Mnist5k

        if name == Mnist5k.name:
            _prepare(Mnist5k, data_dir())
        _require_prepared(name, tfds)
        builder = tfds.builder(name, data_dir=data_dir())
    _require_labelled_images(name, builder.info.features)
    return builder


def _prepare(kind: Any, folder: Path) -> None:
    """Writes the data set beside its place and renames it; whoever is first wins."""
    target = folder / kind.name / str(kind.VERSION)
    if target.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{kind.name}-", dir=folder) as beside:
        builder = kind(data_dir=beside, file_format="array_record")
        _without_progress_bar(builder.download_and_prepare)
        target.parent.mkdir(exist_ok=True)
        try:
            Path(builder.data_dir).rename(target)
        except OSError:
            if not target.exists():
                raise


def _without_progress_bar(action: Callable[[], None]) -> None:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    try:
        action()
    finally:
        tfds.enable_progress_bar()


def _require_prepared(name: str, tfds: Any) -> None:
    prepared = [info.parent.parent.name for info in data_dir().glob("*/*/dataset_info.json")]
    if name in prepared:
        return
    known = tfds.list_builders(with_community_datasets=False)
    if name not in known:
        near = suggestion(name, {*known, *prepared})
        raise Refusal(f"unknown data set {name!r} (tensorflow-datasets has none so named){near}")
    command = f"tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
    raise Refusal(
        f"data set {name!r} is not prepared in {data_dir()}; where TensorFlow is installed, "
        f'python -c "import tensorflow_datasets as tfds; {command}" prepares it'
    )


def _require_labelled_images(name: str, features: Any) -> None:
    kinds = {key: type(feature).__name__ for key, feature in dict(features).items()}
    if kinds.get("image") != "Image" or kinds.get("label") != "ClassLabel":
        raise Refusal(f"{name}: needs the features image and label, has {kinds}")
    if None in features["image"].shape:
        raise Refusal(f"{name}: images must be of one size, these are {features['image'].shape}")


def _read(builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels) of a split; a thousand at once is faster than one by one."""
    with _quiet():
        source = builder.as_data_source(split)
        images = np.empty((len(source), *builder.info.features["image"].shape), np.uint8)
        labels = np.empty(len(source), np.int32)
        for start in range(0, len(source), _READ_AT_ONCE):
            stop = min(start + _READ_AT_ONCE, len(source))
            examples = source.__getitems__(range(start, stop))
            images[start:stop] = [example["image"] for example in examples]
            labels[start:stop] = [example["label"] for example in examples]
    return images, labels


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps tensorflow-datasets' own words (progress, advice about OpenCV) off the screen."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
