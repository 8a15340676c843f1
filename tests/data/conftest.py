"""Small data sets, written by tensorflow-datasets itself, without TensorFlow."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

Examples = Sequence[dict[str, Any]]
NAMES = ("ant", "bee", "cow")


def png(pixels: np.ndarray) -> bytes:
    """Encodes pixels (H, W, C), since tensorflow-datasets does not without TensorFlow."""
    encoded = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(encoded, "png")
    return encoded.getvalue()


def noise(count: int, shape: tuple[int, int, int] = (4, 4, 1), seed: int = 0) -> np.ndarray:
    """Images of noise, all different."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def toys(count: int, shape: tuple[int, int, int] = (4, 4, 1), classes: int = 3) -> Examples:
    """Images of noise labelled 0, 1, 2, ... modulo the number of classes."""
    images = noise(count, shape)
    return [{"image": png(image), "label": row % classes} for row, image in enumerate(images)]


class _Toys(tfds.dataset_builders.AdhocBuilder, skip_registration=True):
    """Like its base class, but without using TensorFlow to inspect the examples."""

    pkg_dir_path = None
    supervised_keys: Any = None

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            features=self._feature_spec,
            supervised_keys=self.supervised_keys,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: object) -> Any:
        return {split: enumerate(rows) for split, rows in self._split_datasets.items()}


def write_set(
    folder: Path,
    splits: Mapping[str, Examples],
    features: Mapping[str, Any] | None = None,
    *,
    name: str = "toy",
    version: str = "1.0.0",
    config: str | None = None,
    supervised_keys: Any = None,
    shards: int = 1,
) -> Path:
    """Writes a data set whose examples stay in order; returns the folder of its files."""
    image, label = tfds.features.Image(shape=(4, 4, 1)), tfds.features.ClassLabel(names=NAMES)
    _Toys.supervised_keys = supervised_keys
    builder = _Toys(
        name=name,
        version=version,
        config=config,
        features=tfds.features.FeaturesDict(features or {"image": image, "label": label}),
        split_datasets=splits,
        data_dir=folder,
        file_format="array_record",
    )
    tfds.disable_progress_bar()
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=shards, try_download_gcs=False)
    )
    return Path(builder.data_dir)
