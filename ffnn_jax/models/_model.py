"""A trained model: the network, its parameters, and what turns pixels into class names."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from ffnn_jax.config import Layer, Refusal, layers_from_json, layers_to_json
from ffnn_jax.models._arrays import load_arrays, save_arrays
from ffnn_jax.network import Network, Params
from ffnn_jax.training import Normalisation, predict_probabilities

_MOST_NAMED = 10


@dataclasses.dataclass(frozen=True, repr=False)
class Model:
    """All that prediction needs.

    Attributes:
        network: maps normalised images to logits.
        params: its parameters.
        normalisation: how pixels become inputs.
        class_names: one name a class.
    """

    network: Network
    params: Params
    normalisation: Normalisation
    class_names: tuple[str, ...]

    def probabilities(self, pixels: UInt8[np.ndarray, "N H W C"]) -> Float[np.ndarray, "N K"]:
        """The probability of every class for every image of pixels 0..255.

        Raises:
            ValueError: the images do not have the network's shape.
        """
        if pixels.shape[1:] != self.network.input_shape or pixels.dtype != np.uint8:
            expected = f"uint8 (N, {', '.join(map(str, self.network.input_shape))})"
            raise ValueError(f"pixels must be {expected}, got {pixels.dtype} {pixels.shape}")
        return predict_probabilities(self.network, self.params, self.normalisation, pixels)

    def predict(self, pixels: UInt8[np.ndarray, "N H W C"]) -> Int[np.ndarray, " N"]:
        """The most probable class of every image."""
        return self.probabilities(pixels).argmax(axis=1)

    def __repr__(self) -> str:
        """How large it is, and what it takes and gives."""
        count = sum(array.size for array in jax.tree.leaves(self.params))
        shape, names = self.network.input_shape, self.class_names
        named = ", ".join(names if len(names) <= _MOST_NAMED else [*names[:_MOST_NAMED], "..."])
        return f"Model({count:,} parameters, images {shape}, {len(names)} classes: {named})"

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of the parameters' bytes, in the order of their names."""
        digest = hashlib.sha256()
        for _, array in sorted(_by_path(self.params).items()):
            digest.update(np.asarray(array).tobytes())
        return digest.hexdigest()


def save(path: str | Path, members: Model | Sequence[Model], best: int = 0) -> None:
    """Writes a model, or several of one network, one a seed, into one file.

    Args:
        path: the file.
        members: the model, or the models.
        best: which of them ``load`` gives.

    Raises:
        ValueError: there is no model, or they are not of one network and its classes.
        Refusal: a layer of your own could not be read back.
    """
    members = [members] if isinstance(members, Model) else members
    if len({(model.network, model.class_names) for model in members}) != 1:
        raise ValueError("save: members must be of one network and its classes, at least one")
    first = members[0]
    about = {
        "layers": layers_to_json(first.network.layers),
        "input_shape": first.network.input_shape,
        "class_names": first.class_names,
        "members": len(members),
        "best": best,
    }
    arrays = {
        f"member_{index}/{name}": array
        for index, model in enumerate(members)
        for name, array in _by_path((model.params, model.normalisation)).items()
    }
    save_arrays(Path(path), arrays, about)


def load(path: str | Path, member: int | None = None, layers: Iterable[type[Layer]] = ()) -> Model:
    """Reads a model.

    Args:
        path: the file.
        member: which of the file's models; the best by validation if not given.
        layers: the types of the network's layers that are your own.

    Raises:
        Refusal: the file is missing or damaged, has no such member, or has a layer that is
            unknown.
    """
    arrays, about = load_arrays(Path(path))
    if not {"layers", "input_shape", "class_names", "members", "best"} <= set(about):
        raise Refusal(f"{path}: holds arrays, and no model")
    chosen = about["best"] if member is None else member
    if not 0 <= chosen < about["members"]:
        raise Refusal(f"{path}: member must be from 0 to {about['members'] - 1}, got {chosen}")
    height, width, channels = about["input_shape"]
    network = Network(_layers(path, about["layers"], layers), (height, width, channels))
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    template = (shapes, Normalisation(*np.zeros((2, channels), np.float32)))
    leaves = [
        _array(path, arrays, f"member_{chosen}/{name}", leaf.shape)
        for name, leaf in _by_path(template).items()
    ]
    params, normalisation = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return Model(network, params, normalisation, tuple(about["class_names"]))


def _layers(path: str | Path, described: Any, own: Iterable[type[Layer]]) -> tuple[Layer, ...]:
    try:
        return layers_from_json(described, own)
    except Refusal as refusal:
        hint = "layers of your own are given in Python, as in load(path, layers=[MyLayer])"
        raise Refusal(f"{path}: {refusal}; {hint}") from None


def _array(
    path: str | Path, arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]
) -> np.ndarray:
    found = arrays[name].shape if name in arrays else "none"
    if found != shape:
        raise Refusal(
            f"{path}: the network asks for an array {name!r} {shape}, the file has {found}"
        )
    return arrays[name]


def _by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their path, as in "0/conv_2/w"."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
