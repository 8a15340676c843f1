"""A trained model: all that prediction needs, saved to a file, loaded, and exported.

An export is StableHLO, which runs wherever jax runs, without this package: ``jax.export`` writes
uint8 pixels (batch, H, W, C) in, for any batch size, class probabilities out, with all arrays.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Float, Int, UInt8

from ffnn_jax._base_config import from_fields
from ffnn_jax._device import require_platform
from ffnn_jax._schema import AMOUNT, COUNT, FLAG, LIST, TEXT, optional, require_schema
from ffnn_jax.config import UserError, layers_from_json, layers_to_json
from ffnn_jax.models._arrays import load_arrays, save_arrays
from ffnn_jax.models._form import MNIST_FORM, ImageForm
from ffnn_jax.models._probabilities import VIEWS, predict_probabilities, probabilities_of
from ffnn_jax.network import Network, Normalisation, Params, State, by_path
from ffnn_jax.nn import Layer

_MOST_NAMED, _PARTS = 10, ("params", "state", "normalisation")
_ABOUT = {
    "layers": LIST, "input_shape": [COUNT], "class_names": [TEXT], "models": COUNT, "best": COUNT,
    "views?": TEXT,
    "form?": {"light_on_dark?": optional(FLAG), "transposed?": FLAG, "offset?": AMOUNT},
}  # fmt: skip
PLATFORMS = ("cpu", "cuda", "tpu")
_PARITY = 1e-6


@dataclasses.dataclass(frozen=True, repr=False)
class Model:
    """Everything that prediction needs.

    Attributes:
        network: maps normalised images to logits.
        params: its parameters.
        state: its state after training; {} for a network without any.
        normalisation: how pixels become inputs; None if the inputs are tokens.
        class_names: one name per class.
        form: what the training images have in common; MNIST's if the file is older.
        views: what is classified of an image, as in ``Settings.views``.
    """

    network: Network
    params: Params
    state: State
    normalisation: Normalisation | None
    class_names: tuple[str, ...]
    form: ImageForm = MNIST_FORM
    views: str = "one"

    def probabilities(self, pixels: UInt8[np.ndarray, "N H W C"]) -> Float[np.ndarray, "N K"]:
        """The probability of each class for each image of pixels 0..255, or row of tokens.

        Grey images may be (N, H, W).

        Raises:
            ValueError: the inputs have the wrong shape or dtype.
        """
        pixels, kind = np.asarray(pixels), np.integer if self.normalisation is None else np.uint8
        if (*pixels.shape[1:], 1) == self.network.input_shape:
            pixels = pixels[..., None]  # grey
        fits = np.issubdtype(pixels.dtype, kind)
        if pixels.shape[1:] != self.network.input_shape or not fits:
            shape = f"(N, {', '.join(map(str, self.network.input_shape))})"
            expected = f"{'integers' if kind is np.integer else 'uint8'} {shape}"
            raise ValueError(f"pixels must be {expected}, got {pixels.dtype} {pixels.shape}")
        return predict_probabilities(
            self.network, self.params, self.state, self.normalisation, pixels, self.views
        )

    def predict(self, pixels: UInt8[np.ndarray, "N H W C"]) -> Int[np.ndarray, " N"]:
        """The index of the most probable class of each image."""
        return self.probabilities(pixels).argmax(axis=1)

    def accuracy(
        self, pixels: UInt8[np.ndarray, "N H W C"], labels: Int[np.ndarray, " N"]
    ) -> float:
        """The share of the images whose most probable class is their label, counted from 0.

        Raises:
            ValueError: the inputs have the wrong shape or dtype, or not one label each, or a label
                is not the position of a class in ``class_names``.
        """
        labels = np.asarray(labels)
        if labels.shape != (len(pixels),):
            raise ValueError(f"labels must be ({len(pixels)},), got {labels.shape}")
        wrong = labels[~np.isin(labels, np.arange(len(self.class_names)))]
        if labels.dtype.kind not in "iu" or wrong.size:
            allowed = f"integers from 0 to {len(self.class_names) - 1}, positions in class_names"
            raise ValueError(f"labels must be {allowed}, got {[*wrong, labels.dtype][0]}")
        return float(np.mean(self.predict(pixels) == labels))

    def __repr__(self) -> str:
        """The number of parameters, the input shape and the classes."""
        count = sum(array.size for array in jax.tree.leaves(self.params))
        shape, names = self.network.input_shape, self.class_names
        shown = ", ".join(names if len(names) <= _MOST_NAMED else [*names[:_MOST_NAMED], "..."])
        return f"Model({count:,} parameters, images {shape}, {len(names)} classes: {shown})"

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of the parameters' bytes, in the order of their names in the report's Table 2."""
        named = {_name_in_table_2(path): array for path, array in by_path(self.params).items()}
        digest = hashlib.sha256()
        for _, array in sorted(named.items()):
            digest.update(np.asarray(array).tobytes())
        return digest.hexdigest()


def save(path: str | Path, models: Model | Sequence[Model], best: int = 0) -> None:
    """Writes a model, or several of the same network (one per seed), to one file.

    Args:
        path: the file.
        models: the model or models.
        best: index of the model that ``load`` returns by default.

    Raises:
        ValueError: there is no model, or the models differ in network or class names.
        UserError: a custom layer could not be read back.
    """
    models = [models] if isinstance(models, Model) else models
    if len({(model.network, model.class_names) for model in models}) != 1:
        needed = "at least one model, all with the same network and class names"
        raise ValueError(f"save: needs {needed}")
    first = models[0]
    about = {
        "layers": layers_to_json(first.network.layers),
        "input_shape": first.network.input_shape,
        "class_names": first.class_names,
        "form": dataclasses.asdict(first.form),
        "views": first.views,
        "models": len(models),
        "best": best,
    }
    arrays = {
        f"model_{index}/{name}": array
        for index, model in enumerate(models)
        for name, array in by_path({part: getattr(model, part) for part in _PARTS}).items()
    }
    save_arrays(Path(path), arrays, about)


def load(path: str | Path, model: int | None = None, layers: Iterable[type[Layer]] = ()) -> Model:
    """Reads a model.

    Args:
        path: the file.
        model: index of the model in the file; the best by validation if not given.
        layers: types of the network's custom layers.

    Raises:
        UserError: the file is missing or damaged, or has no such model, or an unknown layer; or
            jax has no device.
    """
    require_platform()
    arrays, about, _ = load_arrays(Path(path))
    if not {"layers", "input_shape", "class_names", "models", "best"} <= set(about):
        raise UserError(f"{path}: contains arrays, but no model")
    require_schema(path, about, _ABOUT)
    chosen = about["best"] if model is None else model
    if not 0 <= chosen < about["models"]:
        raise UserError(f"{path}: model must be from 0 to {about['models'] - 1}, got {chosen}")
    try:
        chain = layers_from_json(about["layers"], layers)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    network = Network(chain, tuple(about["input_shape"]))
    channels, normalised = network.input_shape[-1], f"model_{chosen}/normalisation/scale" in arrays
    normalisation = Normalisation(*np.zeros((2, channels), "float32")) if normalised else None
    template = dict(zip(_PARTS, (*network.shapes(), normalisation), strict=True))
    leaves = []
    for part, leaf in by_path(template).items():
        name = f"model_{chosen}/{part}"
        actual = arrays[name].shape if name in arrays else "none"
        if actual != leaf.shape:
            needed = f"the network needs an array {name!r} {leaf.shape}"
            raise UserError(f"{path}: {needed}, the file has {actual}")
        leaves.append(arrays[name])
    loaded = jax.tree.unflatten(jax.tree.structure(template), leaves)
    form = from_fields(ImageForm, f"{path}: form", about.get("form", {}))
    views, names = about.get("views", "one"), tuple(about["class_names"])
    if views not in VIEWS:
        raise UserError(f"{path}: views must be one of {', '.join(VIEWS)}, got {views!r}")
    return Model(network, **loaded, class_names=names, form=form, views=views)


def _name_in_table_2(path: str) -> str:
    """A parameter's path with its layer numbered as in the report, the input being layer 1."""
    layer, name = path.split("/", 1)
    kind, number = layer.rsplit("_", 1)
    return f"{kind}_{int(number) + 1}/{name}"


def export_model(model: Model) -> export.Exported:
    """The model's probabilities as one program for cpu, cuda and tpu."""
    shape = export.symbolic_shape(", ".join(map(str, ("batch", *model.network.input_shape))))
    pixels = jax.ShapeDtypeStruct(shape, jnp.uint8)
    return export.export(_probabilities_of(model), platforms=PLATFORMS)(pixels)


def save_exported(path: Path, model: Model) -> float:
    """Writes the program, reads it back, and compares its output with the model's.

    Both run on one batch: ``Model.probabilities`` uses another batch size, hence order of sums.

    Returns:
        The largest difference in a probability over 7 random images.

    Raises:
        UserError: the file cannot be written, or the program read back differs from the model.
    """
    write_exported(path, export_model(model).serialize())
    pixels = random_pixels(model)
    reloaded = export.deserialize(bytearray(path.read_bytes())).call(pixels)
    difference = float(jnp.abs(reloaded - _probabilities_of(model)(pixels)).max())
    if not difference <= _PARITY:
        path.unlink()
        problem = f"the program differs from the model by {difference:.1e}, at most {_PARITY}"
        raise UserError(f"{path}: {problem}")
    return difference


def write_exported(path: Path, content: bytes | bytearray) -> None:
    """Writes what is exported; a UserError says why it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"export {path} cannot be written: {error}") from None


def random_pixels(model: Model) -> UInt8[np.ndarray, "7 H W C"]:
    """Images on which what is exported is compared with the model."""
    shape = (7, *model.network.input_shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _probabilities_of(model: Model) -> jax.stages.Wrapped:
    """The function of pixels that is exported."""
    arrays = model.params, model.state, model.normalisation
    return jax.jit(functools.partial(probabilities_of, model.network, *arrays, views=model.views))
