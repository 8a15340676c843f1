"""Examples of a prepared data set: decoded by tensorflow-datasets, each one checked."""

import contextlib
import importlib
import io
import itertools
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.data._folders import PreparedSet

_BLOCK = 1000  # examples per read: three times as fast as one by one
_BLOCK_BYTES = 64 << 20
_MAX_IMAGE_BYTES = 1 << 30


class Examples(NamedTuple):
    """Consecutive examples: images uint8 (n, H, W, C), labels int32 (n,), and ids, if any."""

    images: np.ndarray
    labels: np.ndarray
    ids: list[bytes]


class Features(NamedTuple):
    """The names of a data set's image, label and id features, the image shape and the classes."""

    image: str
    label: str
    id: str | None
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]


class Reader:
    """Reads the splits of a prepared data set.

    Raises:
        UserError: its examples are not one fixed-size image with one class label, or its files
            are not array_record files and TensorFlow is not installed.
    """

    def __init__(self, prepared: PreparedSet) -> None:
        """Opens the set's description; the examples are read by ``blocks``."""
        self._prepared = prepared
        with quiet():
            import tensorflow_datasets as tfds

            try:
                self._builder: Any = tfds.builder_from_directory(prepared.folder)
                self.features = features_of(prepared.name, self._builder.info)
                self._shards = {
                    split: list(zip(map(Path, info.filepaths), info.shard_lengths, strict=True))
                    for split, info in self._builder.info.splits.items()
                }
            except UserError:
                raise
            except Exception as error:
                raise _damaged(prepared.folder, error) from None
        image_bytes = math.prod(self.features.image_shape)
        self._block = min(max(_BLOCK_BYTES // image_bytes, 1), _BLOCK)

    def blocks(self, split: str) -> Iterator[Examples]:
        """The examples of a split, in tensorflow-datasets' order.

        Raises:
            UserError: a file is missing, damaged or of the wrong length, or an example does not
                match the description; the message names file and index.
        """
        own = self._prepared.file_format == "array_record"
        examples = self._examples(split) if own else self._examples_by_tensorflow(split)
        count, expected = 0, sum(self._prepared.shard_lengths[split])
        for first, block in examples:
            yield self._checked(split, first, block)
            count += len(block)
        if count != expected:
            problem = f"{split} holds {count:,} examples, but dataset_info.json lists {expected:,}"
            raise UserError(f"{self._prepared.folder}: {problem}")

    def _examples(self, split: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        self.require_intact_files(split)
        with quiet():
            source = self._builder.as_data_source(split)
        for start in range(0, len(source), self._block):
            rows = range(start, min(start + self._block, len(source)))
            try:
                with quiet():
                    examples = source.__getitems__(rows)
            except Exception:
                raise self._first_unreadable(split, source, rows) from None
            yield start, examples

    def _examples_by_tensorflow(self, split: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Reads the other formats of tensorflow-datasets, which need TensorFlow."""
        try:
            tensorflow: Any = importlib.import_module("tensorflow")
        except ImportError:
            contents = f"{self._prepared.folder} holds {self._prepared.file_format} files"
            raise UserError(
                f"{contents}, which only TensorFlow reads; pip install tensorflow-cpu, or move the "
                "folder away and prepare the set again as array_record files"
            ) from None
        import tensorflow_datasets as tfds

        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        with quiet():
            dataset = self._builder.as_dataset(split, shuffle_files=False, read_config=in_order)
        examples, start = iter(tfds.as_numpy(dataset)), 0
        try:
            while block := list(itertools.islice(examples, self._block)):
                yield start, block
                start += self._block
        except tensorflow.errors.OpError as error:
            raise _damaged(self._prepared.folder, error) from None

    def require_intact_files(self, split: str) -> None:
        """Checks that each array_record file exists, is readable and has the right length."""
        from array_record.python.array_record_module import ArrayRecordReader

        for file, length in self._shards[split]:
            if not file.exists():
                raise UserError(f"{self._prepared.name}/{split}: {file} is missing")
            try:
                reader = ArrayRecordReader(str(file))
                count = reader.num_records()
                if count == 0:
                    reader.read([0])  # a damaged file counts 0, and raises the reason when read
            except Exception as error:
                raise _damaged(file, error) from None
            if count != length:
                listed = f"{self._prepared.folder.name}/dataset_info.json lists {length:,}"
                raise UserError(f"{file}: holds {count:,} examples, but {listed}")

    def _locate(self, split: str, index: int) -> str:
        """The file of an example, and its index in that file."""
        for file, length in self._shards[split]:
            if index < length:
                return f"{file}: example {index}"
            index -= length
        return f"{self._prepared.folder}: example {index} past the end of {split}"

    def _first_unreadable(self, split: str, source: Any, rows: range) -> UserError:
        for row in rows:
            try:
                with quiet():
                    source[row]
            except Exception as error:
                return UserError(f"{self._locate(split, row)} is damaged ({_brief(error)})")
        return UserError(f"{self._locate(split, rows[0])} and later ones cannot be read together")

    def _checked(self, split: str, first: int, examples: list[dict[str, Any]]) -> Examples:
        """The examples as arrays; each must match the description."""
        image, label, id_, shape, class_names = self.features
        images = np.empty((len(examples), *shape), np.uint8)
        labels = np.empty(len(examples), np.int32)
        for row, example in enumerate(examples):
            pixels, number = np.asarray(example[image]), example[label]
            if number is None:
                raise UserError(f"{self._locate(split, first + row)} has no label")
            if pixels.shape != shape or pixels.dtype != np.uint8:
                where, actual = self._locate(split, first + row), f"{pixels.dtype} {pixels.shape}"
                raise UserError(f"{where} has an image of {actual}, expected uint8 {shape}")
            if not 0 <= number < len(class_names):
                where, last = self._locate(split, first + row), len(class_names) - 1
                raise UserError(f"{where} has the label {number}, not one of 0 to {last}")
            images[row], labels[row] = pixels, number
        ids = [bytes(example[id_]) for example in examples] if id_ else []
        return Examples(images, labels, ids)


def require_intact(prepared: PreparedSet) -> None:
    """Checks that the files of a data set are intact, without decoding an example.

    Raises:
        UserError: a file is missing, damaged or of the wrong length.
    """
    reader = Reader(prepared)
    if prepared.file_format == "array_record":
        for split in prepared.shard_lengths:
            reader.require_intact_files(split)


def features_of(name: str, info: Any) -> Features:
    """The image and label features of a data set; of several, those of ``supervised_keys``."""
    kinds = {key: type(feature).__name__ for key, feature in dict(info.features).items()}
    keys = info.supervised_keys
    supervised = [kinds.get(key) if isinstance(key, str) else None for key in keys or ()]
    if supervised != ["Image", "ClassLabel"]:
        keys = [key for kind in ("Image", "ClassLabel") for key in kinds if kinds[key] == kind]
    if [kinds[key] for key in keys] != ["Image", "ClassLabel"]:
        actual = ", ".join(f"{key} ({kind})" for key, kind in sorted(kinds.items()))
        raise UserError(f"{name}: must have one image and one class label, has {actual}")
    image, label = info.features[keys[0]], info.features[keys[1]]
    if None in image.shape or image.np_dtype != np.uint8:
        actual = f"{np.dtype(image.np_dtype)} {image.shape}"
        raise UserError(f"{name}: images must be uint8 of one fixed size, got {actual}")
    if not 0 < math.prod(image.shape) <= _MAX_IMAGE_BYTES:
        allowed = f"1 to {_MAX_IMAGE_BYTES:,} bytes"
        raise UserError(f"{name}: images must have {allowed}, got shape {image.shape}")
    names = tuple(label.int2str(index) for index in range(label.num_classes))
    height, width, channels = image.shape
    has_id = "id" if kinds.get("id") == "Text" else None
    return Features(keys[0], keys[1], has_id, (height, width, channels), names)


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: damaged ({_brief(error)})")


def _brief(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message[:200] or type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences tensorflow-datasets' own output (progress, advice about OpenCV)."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
