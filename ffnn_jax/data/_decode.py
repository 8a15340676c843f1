"""Examples of a prepared data set, decoded by tensorflow-datasets and checked one by one."""

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

_BLOCK = 1000  # examples read at once: three times as fast as one by one
_BLOCK_BYTES = 64 << 20
_MOST_BYTES = 1 << 30  # of one image


class Examples(NamedTuple):
    """Some examples in a row: images uint8 (n, H, W, C), labels int32 (n,), ids or nothing."""

    images: np.ndarray
    labels: np.ndarray
    ids: list[bytes]


class Features(NamedTuple):
    """What a data set calls its image, its label and its id, and what they are."""

    image: str
    label: str
    id: str | None
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]


class Reader:
    """Reads the splits of a prepared data set.

    Args:
        prepared: the data set.

    Raises:
        UserError: it is not one image of one size with one class label, or is not written as
            array_record files and TensorFlow is not installed.
    """

    def __init__(self, prepared: PreparedSet) -> None:
        """Opens the set's description; the examples are read by ``blocks``."""
        self._prepared = prepared
        with quiet():
            import tensorflow_datasets as tfds

            try:
                self._builder: Any = tfds.builder_from_directory(prepared.folder)
                self.features = features_of(prepared.name, self._builder.info)
                self._shards = {split: self._files(split) for split in prepared.shard_lengths}
            except UserError:
                raise
            except Exception as error:
                raise _damaged(prepared.folder, error) from None
        image_bytes = math.prod(self.features.image_shape)
        self._block = min(max(_BLOCK_BYTES // image_bytes, 1), _BLOCK)

    def blocks(self, split: str) -> Iterator[Examples]:
        """The examples of a split, in tensorflow-datasets' order.

        Raises:
            UserError: a file is missing, damaged or of another length than its description says,
                or an example is not what the description says; file and index are named.
        """
        if self._prepared.file_format != "array_record":
            examples = self._examples_by_tensorflow(split)
        else:
            examples = self._examples(split)
        count, said = 0, sum(self._prepared.shard_lengths[split])
        for first, block in examples:
            yield self._checked(split, first, block)
            count += len(block)
        if count != said:
            what = f"{split} holds {count:,} examples, dataset_info.json says {said:,}"
            raise UserError(f"{self._prepared.folder}: {what}")

    def require_intact_files(self) -> None:
        """Looks whether every file is there, readable and of its length; nothing is decoded.

        Raises:
            UserError: one is not.
        """
        if self._prepared.file_format == "array_record":
            for split in self._shards:
                self._require_intact_files(split)

    def _examples(self, split: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        self._require_intact_files(split)
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
        """Only TensorFlow reads the other formats of tensorflow-datasets."""
        try:
            tensorflow: Any = importlib.import_module("tensorflow")
        except ImportError:
            held = f"{self._prepared.folder} holds {self._prepared.file_format} files"
            raise UserError(
                f"{held}, which only TensorFlow reads; pip install tensorflow-cpu, or move the "
                "folder away and prepare the set anew as array_record files"
            ) from None
        import tensorflow_datasets as tfds

        order = tfds.ReadConfig(interleave_cycle_length=1)
        with quiet():
            dataset = self._builder.as_dataset(split, shuffle_files=False, read_config=order)
        examples, start = iter(tfds.as_numpy(dataset)), 0
        try:
            while block := list(itertools.islice(examples, self._block)):
                yield start, block
                start += self._block
        except tensorflow.errors.OpError as error:
            raise _damaged(self._prepared.folder, error) from None

    def _require_intact_files(self, split: str) -> None:
        from array_record.python.array_record_module import ArrayRecordReader

        for file, length in self._shards[split]:
            if not file.exists():
                raise UserError(f"{self._prepared.name}/{split}: {file} is missing")
            try:
                held = ArrayRecordReader(str(file))
                count = held.num_records()
                if count == 0:
                    held.read([0])  # a damaged file counts 0, and says why when it is read
            except Exception as error:
                raise _damaged(file, error) from None
            if count != length:
                said = f"{self._prepared.folder.name}/dataset_info.json says {length:,}"
                raise UserError(f"{file}: holds {count:,} examples, {said}")

    def _files(self, split: str) -> list[tuple[Path, int]]:
        """The files of a split, and how many examples each has."""
        info = self._builder.info.splits[split]
        return list(zip(map(Path, info.filepaths), info.shard_lengths, strict=True))

    def _place(self, split: str, index: int) -> str:
        """Where an example is: its file, and its index in it."""
        for file, length in self._shards[split]:
            if index < length:
                return f"{file}: example {index}"
            index -= length
        return f"{self._prepared.folder}: example {index} after the last of {split}"

    def _first_unreadable(self, split: str, source: Any, rows: range) -> UserError:
        for row in rows:
            try:
                with quiet():
                    source[row]
            except Exception as error:
                return UserError(f"{self._place(split, row)} is damaged ({_in_brief(error)})")
        return UserError(f"{self._place(split, rows[0])} and what follows cannot be read together")

    def _checked(self, split: str, first: int, examples: list[dict[str, Any]]) -> Examples:
        """The examples as arrays, once each is found to be what it should be."""
        image, label, id_, shape, class_names = self.features
        images = np.empty((len(examples), *shape), np.uint8)
        labels = np.empty(len(examples), np.int32)
        for row, example in enumerate(examples):
            pixels, number = np.asarray(example[image]), example[label]
            if number is None:
                raise UserError(f"{self._place(split, first + row)} has no label")
            if pixels.shape != shape or pixels.dtype != np.uint8:
                where, found = self._place(split, first + row), f"{pixels.dtype} {pixels.shape}"
                raise UserError(f"{where} has an image {found}, not uint8 {shape}")
            if not 0 <= number < len(class_names):
                where, last = self._place(split, first + row), len(class_names) - 1
                raise UserError(f"{where} has the label {number}, not one of 0 to {last}")
            images[row], labels[row] = pixels, number
        return Examples(
            images, labels, [bytes(example[id_]) for example in examples] if id_ else []
        )


def require_intact(prepared: PreparedSet) -> None:
    """Looks whether the files of a data set are whole, without decoding an example.

    Raises:
        UserError: one is missing, damaged or of another length than the description says.
    """
    Reader(prepared).require_intact_files()


def features_of(name: str, info: Any) -> Features:
    """The one image and the one label of a data set, by its own word where it has several."""
    kinds = {key: type(feature).__name__ for key, feature in dict(info.features).items()}
    keys = info.supervised_keys
    by_its_word = [kinds.get(key) if isinstance(key, str) else None for key in keys or ()]
    if by_its_word != ["Image", "ClassLabel"]:
        keys = [key for kind in ("Image", "ClassLabel") for key in kinds if kinds[key] == kind]
    if [kinds[key] for key in keys] != ["Image", "ClassLabel"]:
        has = ", ".join(f"{key} ({kind})" for key, kind in sorted(kinds.items()))
        raise UserError(f"{name}: must have one image and one class label, has {has}")
    image, label = info.features[keys[0]], info.features[keys[1]]
    if None in image.shape or image.np_dtype != np.uint8:
        found = f"{np.dtype(image.np_dtype)} {image.shape}"
        raise UserError(f"{name}: images must be uint8 and of one size, these are {found}")
    if not 0 < math.prod(image.shape) <= _MOST_BYTES:
        raise UserError(f"{name}: images must have 1 to {_MOST_BYTES:,} bytes, these {image.shape}")
    names = tuple(label.int2str(index) for index in range(label.num_classes))
    height, width, channels = image.shape
    has_id = "id" if kinds.get("id") == "Text" else None
    return Features(keys[0], keys[1], has_id, (height, width, channels), names)


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: damaged ({_in_brief(error)})")


def _in_brief(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words[:200] or type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps tensorflow-datasets' own words (progress, advice about OpenCV) off the screen."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
