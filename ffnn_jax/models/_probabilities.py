"""Prediction for any number of images, in blocks of one compiled size, by one view or several."""

import functools
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from ffnn_jax._device import devices_in_use
from ffnn_jax.layers import softmax
from ffnn_jax.layers.fast import Table, compiler_options, forms
from ffnn_jax.network import Network, Normalisation, Params, State, normalise

# by where the image begins in itself padded by a pixel; 1 is not shifted
WEIGHTS = {"mirrored": {1: 1.0}, "six": {0: 0.25, 1: 0.5, 2: 0.25}}
VIEWS = ("one", *WEIGHTS)
_BLOCK = 32  # its im2col patches stay in a CPU's cache: three times as fast as 256
_BLOCK_ELSEWHERE = 1024


def logits_of_views(
    network: Network, params: Params, state: State, x: Float[Array, "N H W C"], views: str
) -> Float[Array, "N K"]:
    """The weighted mean of the logits of all views of a batch.

    Of six views the two diagonal shifts by a pixel, into a reflected border, count half as much
    as the image in place; its mirror image always counts as much as an image.
    """
    if views == "one":
        return network.apply(params, state, x)[0]
    _, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    total = 0.0
    for first, weight in WEIGHTS[views].items():
        view = padded[:, first : first + height, first : first + width]
        for image in (view, view[:, :, ::-1]):
            total += weight / 2 * network.apply(params, state, image)[0]
    return jnp.asarray(total)


def predict_probabilities(
    network: Network,
    params: Params,
    state: State,
    normalisation: Normalisation | None,
    pixels: UInt8[np.ndarray, "N H W C"],
    views: str = "one",
) -> Float[np.ndarray, "N K"]:
    """The probability of each class for each image, possibly of none; a row sums to 1.

    Blocks take turns on the devices in use. The last one is padded, so that only one size is
    compiled for any N: in prediction the output for an image does not depend on the others.
    Convolutions take the forms of the context that holds where this is called.

    Raises:
        ValueError: the images or the parameters do not fit the network.
    """
    size = _BLOCK if jax.default_backend() == "cpu" else _BLOCK_ELSEWHERE
    table, devices = forms.value, devices_in_use()
    models = [jax.device_put((params, state, normalisation), device) for device in devices]

    def classify(start: int) -> np.ndarray:
        block, turn = pixels[start : start + size], start // size % len(devices)
        missing = np.zeros((size - len(block), *pixels.shape[1:]), pixels.dtype)
        padded = jax.device_put(np.concatenate([block, missing]), devices[turn])
        with forms(table):  # a thread starts without the context of another
            z = _program(table)(network, *models[turn], padded, views)
            return np.asarray(z)[: len(block)]

    with ThreadPoolExecutor() as pool:  # a block keeps one core, or one device, busy
        return np.concatenate(list(pool.map(classify, range(0, len(pixels) or 1, size))))


@functools.cache
def _program(table: Table) -> jax.stages.Wrapped:
    """``probabilities_of``, compiled for these forms."""
    options = compiler_options(table)
    return jax.jit(probabilities_of, static_argnums=(0, 5), compiler_options=options)


def probabilities_of(
    network: Network,
    params: Params,
    state: State,
    normalisation: Normalisation | None,
    pixels: Array,
    views: str = "one",
) -> Float[Array, "N K"]:
    """The probability of each class for each image of one batch."""
    x = normalise(pixels, normalisation)
    return softmax(logits_of_views(network, params, state, x, views))
