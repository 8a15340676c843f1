"""The data sets that can be prepared here: their source files and expected SHA-256."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ffnn_jax.config import UserError
from ffnn_jax.data._folders import PreparedSet
from ffnn_jax.data.preparation import _cifar
from ffnn_jax.data.preparation._idx import IDX_FILES, read_idx_parts
from ffnn_jax.data.preparation._parts import Part

REMEDY = "move that folder away and prepare the set again"


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


def _read_mnist_5k(files: Mapping[str, Path]) -> dict[str, Part]:
    from ffnn_jax.data.preparation._mnist_5k import read_mnist_5k

    return read_mnist_5k()


_SOURCES: dict[str, tuple[tuple[str, ...], Callable[[Mapping[str, Path]], dict[str, Part]]]] = {
    "mnist_5k": ((), _read_mnist_5k),
    "mnist": (IDX_FILES, read_idx_parts),
    "fashion_mnist": (IDX_FILES, read_idx_parts),
    "kmnist": (IDX_FILES, read_idx_parts),
    "cifar10": ((_cifar.CIFAR10_ARCHIVE,), _cifar.read_cifar10),
    "cifar100": ((_cifar.CIFAR100_ARCHIVE,), _cifar.read_cifar100),
}
_DIGESTS = json.loads(Path(__file__).with_name("digests.json").read_text("utf-8"))
RECIPES = {name: Recipe(*source, **_DIGESTS.get(name, {})) for name, source in _SOURCES.items()}


def recorded_of(prepared: PreparedSet) -> Mapping[str, str]:
    """The expected SHA-256 of each split of a set; empty if none is recorded."""
    recipe = RECIPES.get(prepared.name)
    return recipe.sha256 if recipe and recipe.version == prepared.version else {}


def require_recorded(prepared: PreparedSet, split: str, sha256: str) -> None:
    """Rejects a split of a prepared set whose SHA-256 differs from the recorded one."""
    recorded = recorded_of(prepared).get(split, sha256)
    if sha256 != recorded:
        problem = f"{split} has SHA-256 {sha256}, expected {recorded}"
        raise UserError(f"{prepared.folder}: {problem}; {REMEDY}")
