"""A convolution by blocks of images: the same equations with matrices that stay in the cache.

An image's z and dx depend on no other image, and dw is the sum over the images of what each adds
to it. So a form of the convolution can take a few images after another,

    z = (z of block 1, z of block 2, ...),    dw = sum_B dw of block B          (block.1)

with a P, (conv.2), no larger than a processor's cache, in memory that is used again. A batch whose
size is left open, as in an exported model, is one block; one in shards is cut within each of them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ffnn_jax.layers._arguments import is_integer
from ffnn_jax.layers._shards import cut, joined, on_each_shard, shards

_BYTES = 2**21
"""The size of P for a block; a core's cache holds about as much."""
_WHOLE_BYTES = 2**24
"""The size of P up to which the whole batch is one block: so little is quick in any case."""


def images_in_a_block(images: int, bytes_of_p: int) -> int:
    """The largest divisor of a shard's number of images for which a block's P is small enough."""
    shard = images // shards()
    if not is_integer(images, 1) or bytes_of_p <= _WHOLE_BYTES * shards():
        return shard
    most = max(1, _BYTES * images // max(bytes_of_p, 1))
    return max(n for n in range(1, shard + 1) if shard % n == 0 and n <= most)


def map_blocks(block: int, function: Callable[[Array], Array], images: Array) -> Array:
    """A function of images that treats each alone, applied to one block after another."""
    if block * shards() == images.shape[0]:
        return function(images)
    return joined(jax.lax.map(function, cut(images, block)))


def sum_blocks(block: int, function: Callable[[Array, Array], Array], x: Array, dz: Array) -> Array:
    """A sum over pairs of images, block by block; what the shards found is added up once."""
    if block * shards() == x.shape[0]:
        return function(x, dz)

    def add(total: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        return total + function(*pair), None

    def of_shard(x: Array, dz: Array) -> Array:
        like = jax.eval_shape(function, x[:block], dz[:block])
        zeros = jnp.zeros(like.shape, like.dtype)
        return jax.lax.scan(add, zeros, (cut(x, block), cut(dz, block)))[0]

    return on_each_shard(of_shard, x, dz).sum(0)
