"""A model's answers for picture files: bad ones are named, the others still done."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ffnn_jax.config import UserError
from ffnn_jax.models._model import Model
from ffnn_jax.models._pictures import PreparedPicture, Shape, prepare_picture


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model says of one picture file.

    Attributes:
        file: the picture.
        top: the most probable classes and their probabilities, the first the likeliest; empty
            where there is an error.
        prepared: the picture as the network saw it.
        error: why there is no answer.
    """

    file: Path
    top: tuple[tuple[str, float], ...] = ()
    prepared: PreparedPicture | None = dataclasses.field(default=None, repr=False)
    error: str | None = None

    @property
    def label(self) -> str | None:
        """The most probable class."""
        return self.top[0][0] if self.top else None

    def to_json(self) -> dict[str, Any]:
        """The prediction as JSON's own types."""
        return {
            "file": str(self.file),
            "label": self.label,
            "top": [list(one) for one in self.top],
            "error": self.error,
        }


def classifies_digits(model: Model) -> bool:
    """Whether the classes are the ten digits, in grey."""
    return model.class_names == tuple("0123456789") and model.network.input_shape[2] == 1


def predict_files(
    model: Model, files: Iterable[str | Path], top: int = 3, digits: bool | None = None
) -> list[Prediction]:
    """Predictions for picture files of any size and mode, in their order.

    Args:
        model: the model.
        files: pictures.
        top: how many classes of each are given.
        digits: whether to treat them as MNIST's digits were; if not given, where the model's
            classes are the ten digits.

    Raises:
        TypeError: files is one path, and no list of them.
    """
    if isinstance(files, str | Path):
        raise TypeError(f"predict_files: files must be a list of paths, got {files!r}")
    digits = classifies_digits(model) if digits is None else digits
    shape = _image_shape(model)
    read = [_prepared_or_error(file, shape, digits) for file in map(Path, files)]
    prepared = [one.prepared.pixels for one in read if one.prepared is not None]
    if not prepared:
        return read
    probabilities = iter(model.probabilities(np.stack(prepared)))
    return [
        one if one.prepared is None else _answered(one, model.class_names, next(probabilities), top)
        for one in read
    ]


def _image_shape(model: Model) -> Shape:
    """(height, width, channels) of the model's images.

    Raises:
        UserError: its inputs are not images.
    """
    shape = model.network.input_shape
    if len(shape) != 3:
        raise UserError(f"the model takes inputs {shape}, not pictures")
    return shape


def _prepared_or_error(file: Path, shape: Shape, digits: bool) -> Prediction:
    try:
        return Prediction(file, prepared=prepare_picture(file, shape, digits))
    except UserError as error:
        return Prediction(file, error=str(error))


def _answered(
    read: Prediction, names: Sequence[str], probabilities: Float[np.ndarray, " K"], top: int
) -> Prediction:
    likeliest = np.argsort(-probabilities, kind="stable")[:top]
    classes = tuple((names[k], float(probabilities[k])) for k in likeliest)
    return dataclasses.replace(read, top=classes)
