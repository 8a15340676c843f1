"""Keys of random layers: one per image, derived from (seed, step), position and layer."""

from typing import Any


def image_keys(key: Any, count: int) -> Any:
    """One key per position in the batch; keys that are already one per image are unchanged."""
    import jax

    if not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    if key.ndim:
        return key
    positions = jax.numpy.arange(count, dtype="uint32")
    return jax.vmap(jax.random.fold_in, (None, 0))(key, positions)


def fold_in(keys: Any, number: int) -> Any:
    """Each image's key for the layer of this number; None without keys."""
    if keys is None:
        return None
    import jax

    return jax.vmap(jax.random.fold_in, (0, None))(keys, number)
