"""Trees of parameters and state: initial values, shapes, paths, trained and frozen parts."""

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ffnn_jax.network._whitening import whitening_kernels
from ffnn_jax.nn import Constant, Dirac, FromImages, Normal, Param, PatchWhitening, Tree

Path = tuple[str, ...]


def initialise(
    specs: Tree, key: Key[Array, ""], images: Float[Array, "N H W C"] | None = None
) -> Tree:
    """Initial arrays, in float32, for nested dictionaries of ``Param``.

    All normal draws are slices of one flat draw, so that only one is compiled.

    Raises:
        TypeError: a custom initialiser does not return a floating-point array.
        ValueError: an array has the wrong shape, or images are needed but not given.
    """
    params = list(leaves(specs))
    sizes = [math.prod(p.shape) * isinstance(p.init, Normal | Dirac) for _, p in params]
    draw = jax.random.normal(key, (sum(sizes),), jnp.float32) if any(sizes) else jnp.zeros(0)
    draws = jnp.split(draw, np.cumsum(sizes, dtype=int))
    arrays = (
        _array("/".join(path), param, draws[number], (key, number), images)
        for number, (path, param) in enumerate(params)
    )
    return map_specs(lambda param: next(arrays), specs)


def shapes(specs: Tree) -> Tree:
    """The shape and dtype of each array."""
    return map_specs(lambda param: jax.ShapeDtypeStruct(param.shape, jnp.float32), specs)


def map_specs(function: Any, specs: Tree) -> Tree:
    """The same dictionaries, with the function applied to each ``Param``, in the same order."""

    def mapped(value: Any) -> Any:
        return function(value) if isinstance(value, Param) else map_specs(function, value)

    return {name: mapped(value) for name, value in specs.items()}


def leaves(specs: Tree, prefix: Path = ()) -> Iterator[tuple[Path, Param]]:
    """Each ``Param`` with its path, in the order in which the data flows."""
    for name, value in specs.items():
        if isinstance(value, Param):
            yield (*prefix, name), value
        else:
            yield from leaves(value, (*prefix, name))


def _array(
    name: str, param: Param, draw: Array, key: tuple[Key[Array, ""], int], images: Any
) -> Array:
    init = param.init
    if isinstance(init, Normal):
        array = init.stddev * draw.reshape(param.shape)
        return init.mean + array if init.mean else array
    if isinstance(init, Constant):
        return jnp.full(param.shape, init.value, jnp.float32)
    if isinstance(init, Dirac):
        return _dirac(init.stddev * draw.reshape(param.shape))
    if isinstance(init, FromImages | PatchWhitening):
        if images is None:
            raise ValueError(f"init: {name} is computed from training images: pass images")
        if isinstance(init, PatchWhitening):
            return whitening_kernels(images[: init.images], param.shape, init.eps)
        return _validated(name, param, init.compute(images[: init.images]))
    return _validated(name, param, init(jax.random.fold_in(*key), param.shape))


def _dirac(kernel: Float[Array, "... C_in C_out"]) -> Float[Array, "... C_in C_out"]:
    """The kernel with its first min(C_in, C_out) outputs replaced by the identity."""
    *extent, inputs, outputs = kernel.shape
    channels = min(inputs, outputs)
    kernel = kernel.at[..., :channels].set(0)
    identity = jnp.eye(inputs, channels, dtype=kernel.dtype)
    return kernel.at[(*(n // 2 for n in extent), slice(None), slice(channels))].set(identity)


def _validated(name: str, param: Param, array: Any) -> Array:
    """Validates the array that a custom initialiser returned."""
    is_array = isinstance(array, jax.Array | np.ndarray)
    if not is_array or not jnp.issubdtype(array.dtype, jnp.floating):
        returned = "an array of floating-point numbers"
        raise TypeError(f"init: the initialiser of {name} must return {returned}")
    if array.shape != param.shape:
        expected = f"initialised with shape {param.shape}"
        raise ValueError(f"init: {name} must be {expected}, got {array.shape}")
    return jnp.asarray(array, jnp.float32)


def partition(tree: Any, trained: Any) -> tuple[Any, Any]:
    """Splits a tree, by True or False for each leaf, into two with None in place of the others."""
    return (
        jax.tree.map(lambda leaf, is_trained: leaf if is_trained else None, tree, trained),
        jax.tree.map(lambda leaf, is_trained: None if is_trained else leaf, tree, trained),
    )


def combine(trained: Any, frozen: Any) -> Any:
    """Inverse of ``partition``."""
    pairs = trained, frozen
    return jax.tree.map(lambda a, b: b if a is None else a, *pairs, is_leaf=lambda a: a is None)


def by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by path, such as "params/conv_1/w"."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
