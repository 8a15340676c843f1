"""Small operations with correct and wrong rules, unknown to the checker."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def reference_product(x, w):
    return jnp.einsum("nd,dk->nk", x, w)


def forward(x, w):
    return x @ w, (x, w)


def correct_backward(residuals, dz):
    x, w = residuals
    return dz @ w.T, x.T @ dz


def custom_vjp_of(backward, forward=forward):
    op = jax.custom_vjp(lambda x, w: forward(x, w)[0])
    op.defvjp(forward, backward)
    return op


def unary(value, slope, forward_value=None):
    """An element-wise operation with the rule dx = slope(x) dz."""
    op = jax.custom_vjp(value)
    op.defvjp(lambda x: ((forward_value or value)(x), x), lambda x, dz: (slope(x) * dz,))
    return op


@jax.custom_vjp
def product(x, w):
    """A correct rule, importable by name."""
    return forward(x, w)[0]


product.defvjp(forward, correct_backward)


def scaled_dw(residuals, dz):
    dx, dw = correct_backward(residuals, dz)
    return dx, 1.0001 * dw


def drops_the_cotangent(residuals, dz):
    return correct_backward(residuals, jnp.ones_like(dz))


def squares_the_cotangent(residuals, dz):
    return correct_backward(residuals, dz * dz)


def detached_residuals(residuals, dz):
    return correct_backward(jax.lax.stop_gradient(residuals), dz)


def returns_float32(residuals, dz):
    dx, dw = correct_backward(residuals, dz)
    return dx, dw.astype(jnp.float32) if dw.dtype.itemsize < 4 else dw


def sums_in_half_precision(residuals, dz):
    x, _ = residuals

    def add(total, row):
        return total + row[0][:, None] * row[1][None, :], None

    start = jnp.zeros((x.shape[1], dz.shape[1]), dz.dtype)
    return correct_backward(residuals, dz)[0], jax.lax.scan(add, start, (x, dz))[0]


def differs_when_compiled(residuals, dz):
    dx, dw = correct_backward(residuals, dz)
    return dx, dw if isinstance(dz, Tracer) else 2 * dw


def mean_loss(x):
    return jnp.mean(jnp.square(x))


def centred(x):
    """Depends on the whole batch, so a shard of the batch gives a different result."""
    return x - jnp.mean(x, axis=0, keepdims=True)


def absolute(x):
    return jnp.abs(x)


@jax.custom_vjp
def ignores_its_cotangent(x, w):
    """A wrong rule, importable by name."""
    return forward(x, w)[0]


ignores_its_cotangent.defvjp(forward, drops_the_cotangent)


def reference_overflowing(x):
    return jax.nn.logsumexp(x)


def reference_overflowing_too(x):
    return jnp.log(jnp.sum(jnp.exp(x)))


@jax.custom_vjp
def overflowing(x):
    """A wrong rule, importable by name: it overflows in float32."""
    return jnp.log(jnp.sum(jnp.exp(x)))


overflowing.defvjp(
    lambda x: (jnp.log(jnp.sum(jnp.exp(x))), x),
    lambda x, dz: (dz * jnp.exp(x) / jnp.sum(jnp.exp(x)),),
)


def sine_times(x, y):
    return jnp.sin(x) * y


@jax.custom_vjp
def calls_itself(x, y):
    return jnp.sin(x) * y


calls_itself.defvjp(
    lambda x, y: (calls_itself(x, y), (jnp.cos(x), jnp.sin(x), y)),
    lambda residuals, dz: (residuals[0] * dz * residuals[2], residuals[1] * dz),
)


def upcast(x):
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


def reference_weighted(x, w):
    """Rows times w, and the mean squares of the columns, in float32 or wider."""
    return x * w[None, :], jnp.mean(upcast(x) * upcast(x), axis=0)


def weighted_forward(x, w):
    return reference_weighted(x, w), (x, w)


def weighted_backward(residuals, cotangents):
    (x, w), (dz, dsquares) = residuals, cotangents
    dw = jnp.sum(upcast(dz) * upcast(x), axis=0)
    dx = upcast(dz) * upcast(w)[None, :] + 2 / len(x) * upcast(x) * dsquares[None, :]
    return dx.astype(x.dtype), dw.astype(w.dtype)


@jax.custom_vjp
def weighted(x, w):
    """Two outputs, one of them without a batch axis."""
    return weighted_forward(x, w)[0]


weighted.defvjp(weighted_forward, weighted_backward)


def forgets_the_second_output(residuals, cotangents):
    return weighted_backward(residuals, (cotangents[0], jnp.zeros_like(cotangents[1])))


def squares_summed_in_half_precision(x, w):
    def add(total, row):
        return total + row * row, None

    total, _ = jax.lax.scan(add, jnp.zeros_like(x[0]), x)
    return (x * w[None, :], upcast(total / len(x))), (x, w)


def logarithm(x):
    """NaN everywhere below 0."""
    return jnp.log(x)


def tanh_slope(x):
    return 1 - jnp.tanh(x) ** 2


def affine_where_positive(x):
    """Affine on the positive numbers only."""
    return 2.0 * jnp.abs(x)
