"""Predictions for picture files: bad files are reported, the others still predicted."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax.config import UserError
from ffnn_jax.models._model import Model
from ffnn_jax.models._pictures import PreparedPicture, prepare_pictures

_LEAST_SURE = 0.6


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A model's prediction for one picture file, or for one of several digits in it.

    Attributes:
        file: path of the picture.
        top: the most probable classes and their probabilities, most probable first; empty if
            there is an error.
        prepared: the picture as the network saw it.
        error: why there is no prediction.
        box: (left, top, right, bottom) of the digit, where the picture shows several.
    """

    file: Path
    top: tuple[tuple[str, float], ...] = ()
    prepared: PreparedPicture | None = dataclasses.field(default=None, repr=False)
    error: str | None = None
    box: tuple[int, int, int, int] | None = None

    @property
    def label(self) -> str | None:
        """The most probable class."""
        return self.top[0][0] if self.top else None

    @property
    def warning(self) -> str | None:
        """Why the prediction may be wrong, if there is a reason."""
        if self.prepared is not None and self.prepared.warning:
            return self.prepared.warning
        low = self.top and self.top[0][1] < _LEAST_SURE
        return f"the model is unsure: {self.label} {self.top[0][1]:.0%}" if low else None

    def to_json(self) -> dict[str, Any]:
        """The prediction as JSON types."""
        return {
            "file": str(self.file),
            "label": self.label,
            "top": [list(pair) for pair in self.top],
            "error": self.error,
            "box": self.box and list(self.box),
            "warning": self.warning,
        }


def classifies_digits(model: Model) -> bool:
    """Whether the model's classes are the ten digits, and its images grey."""
    return model.class_names == tuple("0123456789") and model.network.input_shape[2] == 1


def predict_files(
    model: Model, files: Iterable[str | Path], top: int = 3, digits: bool | None = None
) -> list[Prediction]:
    """Predictions for picture files of any size and mode, in the order given.

    A picture with several digits gives one prediction for each, in reading order. They are prepared
    as MNIST's were if ``digits``; if that is not given, ``classifies_digits`` decides.

    Raises:
        TypeError: files is a single path instead of a list.
    """
    if isinstance(files, str | Path):
        raise TypeError(f"predict_files: files must be a list of paths, got {files!r}")
    digits = classifies_digits(model) if digits is None else digits
    read = [one for file in map(Path, files) for one in _prepared_or_error(model, file, digits)]
    prepared = [picture.prepared.pixels for picture in read if picture.prepared is not None]
    if not prepared:
        return read
    probabilities = iter(model.probabilities(np.stack(prepared)))
    for k, one in enumerate(read):
        if one.prepared is not None:
            shares = next(probabilities)
            best = np.argsort(-shares, kind="stable")[:top]
            classes = tuple((model.class_names[c], float(shares[c])) for c in best)
            read[k] = dataclasses.replace(one, top=classes)
    return read


def _prepared_or_error(model: Model, file: Path, digits: bool) -> list[Prediction]:
    shape = model.network.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        problem = "not pictures, which have 1 channel or 3"
        raise UserError(f"the model takes inputs {shape}, {problem}; evaluate takes arrays")
    try:
        prepared = prepare_pictures(file, shape, digits, model.form)
    except UserError as error:
        return [Prediction(file, error=str(error))]
    several = len(prepared) > 1
    return [Prediction(file, prepared=one, box=one.box if several else None) for one in prepared]
