"""Initial values of parameters and state."""

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ffnn_jax.nn import Constant, Dirac, FromImages, Normal, Param, Tree

Path = tuple[str, ...]


def initialise(
    specs: Tree, key: Key[Array, ""], images: Float[Array, "N H W C"] | None = None
) -> Tree:
    """Initial arrays, in float32.

    All normal draws are slices of one flat draw, so that only one is compiled.

    Args:
        specs: nested dictionaries of ``Param``.
        key: random key that determines every draw.
        images: normalised training images, for arrays that are computed from them.

    Raises:
        TypeError: a custom initialiser does not return a floating-point array.
        ValueError: an array has the wrong shape, or images are needed but not given.
    """
    params = dict(leaves(specs))
    sizes = [math.prod(param.shape) if _draws(param) else 0 for param in params.values()]
    draw = jax.random.normal(key, (sum(sizes),), jnp.float32) if any(sizes) else jnp.zeros(0)
    start = 0
    arrays = {}
    for number, (path, param) in enumerate(params.items()):
        size = sizes[number]
        normal = draw[start : start + size].reshape(param.shape) if size else None
        start += size
        arrays[path] = _array("/".join(path), param, normal, (key, number), images)
    return _nested(specs, arrays)


def shapes(specs: Tree) -> Tree:
    """The shape and dtype of each array."""
    return map_specs(lambda param: jax.ShapeDtypeStruct(param.shape, jnp.float32), specs)


def map_specs(function: Any, specs: Tree) -> Tree:
    """The same dictionaries, with the function applied to each ``Param``."""
    return _nested(specs, {path: function(param) for path, param in leaves(specs)})


def leaves(specs: Tree, prefix: Path = ()) -> Iterator[tuple[Path, Param]]:
    """Each ``Param`` with its path, in the order in which the data flows."""
    for name, value in specs.items():
        if isinstance(value, Param):
            yield (*prefix, name), value
        else:
            yield from leaves(value, (*prefix, name))


def _nested(specs: Tree, arrays: dict[Path, Any], prefix: Path = ()) -> Tree:
    return {
        name: arrays[(*prefix, name)]
        if isinstance(value, Param)
        else _nested(value, arrays, (*prefix, name))
        for name, value in specs.items()
    }


def _draws(param: Param) -> bool:
    return isinstance(param.init, Normal | Dirac)


def _array(
    name: str, param: Param, draw: Array | None, key: tuple[Key[Array, ""], int], images: Any
) -> Array:
    init = param.init
    if isinstance(init, Normal):
        array = init.stddev * _draw_or_zeros(draw, param)
        return init.mean + array if init.mean else array
    if isinstance(init, Constant):
        return jnp.full(param.shape, init.value, jnp.float32)
    if isinstance(init, Dirac):
        return _dirac(init.stddev * _draw_or_zeros(draw, param))
    if isinstance(init, FromImages):
        if images is None:
            raise ValueError(f"init: {name} is computed from training images: pass images")
        return _validated(name, param, init.compute(images[: init.images]))
    return _validated(name, param, init(jax.random.fold_in(*key), param.shape))


def _draw_or_zeros(draw: Array | None, param: Param) -> Array:
    return jnp.zeros(param.shape, jnp.float32) if draw is None else draw


def _dirac(kernel: Float[Array, "KH KW C_in C_out"]) -> Float[Array, "KH KW C_in C_out"]:
    """The kernel with its first min(C_in, C_out) outputs replaced by the identity."""
    height, width, inputs, outputs = kernel.shape
    channels = min(inputs, outputs)
    kernel = kernel.at[..., :channels].set(0)
    identity = jnp.eye(inputs, channels, dtype=kernel.dtype)
    return kernel.at[height // 2, width // 2, :, :channels].set(identity)


def _validated(name: str, param: Param, array: Any) -> Array:
    """Validates the array that a custom initialiser returned."""
    is_array = isinstance(array, jax.Array | np.ndarray)
    if not is_array or not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(
            f"init: the initialiser of {name} must return an array of floating-point numbers"
        )
    if array.shape != param.shape:
        raise ValueError(
            f"init: {name} must be initialised with shape {param.shape}, got {array.shape}"
        )
    return jnp.asarray(array, jnp.float32)
