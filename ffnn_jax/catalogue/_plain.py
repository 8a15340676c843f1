"""Textbook definitions, for autodiff to differentiate. Nothing here is shared with the layers."""

import jax
import jax.numpy as jnp
from jax import Array


def dense_column(x: Array, w: Array, b: Array) -> Array:
    """Equation (1)."""
    return jnp.einsum("j,ji->i", x, w) + b


def dense(x: Array, w: Array, b: Array) -> Array:
    """Equation (12)."""
    rows = x.reshape(x.shape[0], w.shape[0])
    return jnp.einsum("nj,ji->ni", rows, w) + jnp.broadcast_to(b, (x.shape[0], *b.shape))


def relu(x: Array) -> Array:
    """Equation (17)."""
    return jnp.maximum(x, jnp.zeros_like(x))


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """Equation (leaky.1)."""
    return jnp.maximum(x, jnp.zeros_like(x)) + slope * jnp.minimum(x, jnp.zeros_like(x))


def sigmoid(x: Array) -> Array:
    """Equation (sigmoid.1)."""
    return 1 / (1 + jnp.exp(-x))


def softmax(x: Array) -> Array:
    """Equation (20)."""
    return jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True)


def softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """Equations (21) and (23)."""
    scores = jnp.take_along_axis(jnp.log(softmax(logits)), labels[:, None], axis=1)
    return -jnp.mean(scores)


def conv2d(x: Array, w: Array, b: Array, padding: int | str = "SAME", stride: int = 1) -> Array:
    """Equation (conv.1): the sum over u, v, c of rows s i + u and columns s j + v of x~."""
    around = _around(x, w, padding, stride)
    x = jnp.pad(x, ((0, 0), *around, (0, 0)))
    (height, width), (kh, kw) = x.shape[1:3], w.shape[:2]
    rows = [[i + u for u in range(kh)] for i in range(0, height - kh + 1, stride)]
    columns = [[j + v for v in range(kw)] for j in range(0, width - kw + 1, stride)]
    windows = x[:, jnp.array(rows)][:, :, :, jnp.array(columns)]
    return jnp.einsum("niujvc,uvck->nijk", windows, w) + b.reshape(1, 1, 1, -1)


def conv2d_of_lax(
    x: Array, w: Array, b: Array, padding: int | str = "SAME", stride: int = 1
) -> Array:
    """Equation (conv.1) as JAX's own users write it."""
    around = padding if isinstance(padding, str) else [(padding, padding)] * 2
    layout = ("NHWC", "HWIO", "NHWC")
    z = jax.lax.conv_general_dilated(x, w, (stride, stride), around, dimension_numbers=layout)
    return z + b.reshape(1, 1, 1, -1)


def max_pool(x: Array, window: int = 2) -> Array:
    """Equation (pool.1), as the entry that (pool.2) names: narrow dtypes are full of ties."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window]
    entries = x.reshape(n, rows, window, columns, window, channels).transpose(0, 1, 3, 5, 2, 4)
    entries = entries.reshape(n, rows, columns, channels, window * window)
    winner = jnp.argmax(entries, axis=-1, keepdims=True)
    return jnp.take_along_axis(entries, winner, axis=-1)[..., 0]


def _around(x: Array, w: Array, padding: int | str, stride: int) -> list[tuple[int, int]]:
    if isinstance(padding, int):
        return [(padding, padding)] * 2
    return jax.lax.padtype_to_pads(x.shape[1:3], w.shape[:2], (stride, stride), padding)
