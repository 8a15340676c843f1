"""A model exported as StableHLO: it runs wherever jax runs, without this package.

The file is serialised by ``jax.export``. The program takes uint8 pixels (batch, H, W, C), for any
batch size, and returns class probabilities; it contains parameters, state and normalisation.
"""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from ffnn_jax.config import UserError
from ffnn_jax.models._model import Model
from ffnn_jax.models._probabilities import probabilities_of

PLATFORMS = ("cpu", "cuda", "tpu")
_PARITY = 1e-6


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
    try:
        path.write_bytes(export_model(model).serialize())
    except OSError as error:
        raise UserError(f"export cannot be written: {error}") from None
    shape = (7, *model.network.input_shape)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    reloaded = export.deserialize(bytearray(path.read_bytes())).call(pixels)
    difference = float(jnp.abs(reloaded - _probabilities_of(model)(pixels)).max())
    if not difference <= _PARITY:
        path.unlink()
        problem = f"the program differs from the model by {difference:.1e}, at most {_PARITY}"
        raise UserError(f"{path}: {problem}")
    return difference


def _probabilities_of(model: Model) -> jax.stages.Wrapped:
    """The function of pixels that is exported."""
    arrays = model.params, model.state, model.normalisation
    return jax.jit(functools.partial(probabilities_of, model.network, *arrays, views=model.views))
