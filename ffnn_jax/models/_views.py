"""Views of an image whose logits are averaged: itself, mirrored, and shifted by a pixel."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.network import Network, Params, State

# by where the image begins in itself padded by a pixel; 1 is not shifted
_WEIGHTS = {"mirrored": {1: 1.0}, "six": {0: 0.25, 1: 0.5, 2: 0.25}}
VIEWS = ("one", *_WEIGHTS)


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
    for first, weight in _WEIGHTS[views].items():
        view = padded[:, first : first + height, first : first + width]
        for image in (view, view[:, :, ::-1]):
            total += weight / 2 * network.apply(params, state, image)[0]
    return jnp.asarray(total)
