"""The data sets that can be prepared here: their source files and expected SHA-256."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from ffnn_jax.data._folders import PreparedSet
from ffnn_jax.data.preparation._cifar import (
    CIFAR10_ARCHIVE,
    CIFAR100_ARCHIVE,
    read_cifar10,
    read_cifar100,
)
from ffnn_jax.data.preparation._idx import IDX_FILES, read_idx_parts
from ffnn_jax.data.preparation._parts import Part


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a data set is prepared from its official files.

    Attributes:
        files: the names of the official files.
        read: function that reads them, given their paths.
        sha256: ``Dataset.sha256`` of each split, in tensorflow-datasets' order; empty if never
            computed, in which case the files themselves must be the official ones.
        original_sha256: the same in the order of the files.
        version: tensorflow-datasets' version of the set to which the SHA-256 apply.
    """

    files: tuple[str, ...]
    read: Callable[[Mapping[str, Path]], dict[str, Part]]
    sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    original_sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    version: str = ""


def _read_mnist_5k() -> dict[str, Part]:
    from ffnn_jax.data.preparation._mnist_5k import read_mnist_5k

    return read_mnist_5k()


RECIPES: dict[str, Recipe] = {
    "mnist_5k": Recipe(
        (),
        lambda files: _read_mnist_5k(),
        sha256={
            "train": "c14bc1ae3ae6895e388e1ffeb872ce249d5c3f502ecc7b2876620237dc6e73b5",
            "validation": "15ea81a5e90a0dc04171b6c035af7055e17e2e9348ae9df2233edb4254fe171a",
            "test": "f313181d733874310527eed497f9f847a653d89fdd6ef8897b1aafc89f3f7ec3",
        },
        version="1.0.0",
    ),
    "mnist": Recipe(
        IDX_FILES,
        read_idx_parts,
        sha256={
            "train": "ef80b4281e56b21d759a53bf05077b463d222ef8c3bc7de638091242e7c02667",
            "test": "670e94e863b684ad97d36ceef5ae7bb7dad7897e955a7ac0d1ba5cdb9bedb946",
        },
        original_sha256={
            "train": "6a364e333ea1f8ab86e4d641d64a8cf8d8644433f54b0a78e32c2b9e143672d0",
            "test": "45a60edfded3b2bb860a7fd195c83431011e7f04318268b4f2de30030af9444e",
        },
        version="3.0.1",
    ),
    "fashion_mnist": Recipe(IDX_FILES, read_idx_parts),
    "kmnist": Recipe(IDX_FILES, read_idx_parts),
    "cifar10": Recipe(
        (CIFAR10_ARCHIVE,),
        read_cifar10,
        sha256={
            "train": "de63abfe6ecf48e46f3c4af74fb4c372b03a47b3dd36c509085741fe7e17d778",
            "test": "02ffe773a9c86c2728e43dd046680585f0a36118b3b428570a1e4cd42f385e1c",
        },
        original_sha256={
            "train": "72c15e60c081b70e34054cb162580e0d24094d4efdce45b6c8c1fe5acc39221e",
            "test": "8353b1fbf11acba6dc8b5e9d2fb108294de95b6e979d31428bf914289e4189c5",
        },
        version="3.0.2",
    ),
    "cifar100": Recipe((CIFAR100_ARCHIVE,), read_cifar100),
}


def recorded_of(prepared: PreparedSet) -> Mapping[str, str]:
    """The expected SHA-256 of each split of a set; empty if none is recorded."""
    recipe = RECIPES.get(prepared.name)
    return recipe.sha256 if recipe and recipe.version == prepared.version else {}
