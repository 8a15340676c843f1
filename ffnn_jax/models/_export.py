"""A model as StableHLO: it runs wherever jax runs, without this package.

The file is what ``jax.export`` serialises. It takes uint8 pixels (batch, H, W, C), for a batch of
any size, and gives the probabilities of the classes; parameters, state and normalisation are in it.
"""

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
    """Writes the program, reads it back, and compares it with the model's, for as many images.

    ``Model.probabilities`` takes images in batches of another size, which adds up in another order.

    Args:
        path: the file.
        model: the model.

    Returns:
        The largest difference of a probability, over 7 random images.

    Raises:
        UserError: the file cannot be written, or what is read back is another function.
    """
    try:
        path.write_bytes(export_model(model).serialize())
    except OSError as error:
        raise UserError(f"export cannot be written: {error}") from None
    shape = (7, *model.network.input_shape)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    again = export.deserialize(bytearray(path.read_bytes())).call(pixels)
    apart = float(jnp.abs(again - _probabilities_of(model)(pixels)).max())
    if not apart <= _PARITY:
        path.unlink()
        raise UserError(f"{path}: the program is {apart:.1e} off the model, at most {_PARITY}")
    return apart


def _probabilities_of(model: Model) -> jax.stages.Wrapped:
    """The function of pixels that is exported."""

    def probabilities(pixels: jax.Array) -> jax.Array:
        held = model.params, model.state, model.normalisation
        return probabilities_of(model.network, *jax.tree.map(jnp.asarray, held), pixels)

    return jax.jit(probabilities)
