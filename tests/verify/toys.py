"""Small operations, right and wrong, for the checker to judge. It knows none of them."""

import jax
import jax.numpy as jnp
from jax.core import Tracer


def product_plainly(x, w):
    return jnp.einsum("nd,dk->nk", x, w)


def forward(x, w):
    return x @ w, (x, w)


def right(residuals, dz):
    x, w = residuals
    return dz @ w.T, x.T @ dz


def wired(backward, forward=forward):
    op = jax.custom_vjp(lambda x, w: forward(x, w)[0])
    op.defvjp(forward, backward)
    return op


@jax.custom_vjp
def product(x, w):
    """The right rule, importable by name."""
    return forward(x, w)[0]


product.defvjp(forward, right)


def scaled(residuals, dz):
    dx, dw = right(residuals, dz)
    return dx, 1.0001 * dw


def drops_the_cotangent(residuals, dz):
    return right(residuals, jnp.ones_like(dz))


def squares_the_cotangent(residuals, dz):
    return right(residuals, dz * dz)


def cut_off_from_its_arguments(residuals, dz):
    return right(jax.lax.stop_gradient(residuals), dz)


def returns_float32(residuals, dz):
    dx, dw = right(residuals, dz)
    return dx, dw.astype(jnp.float32) if dw.dtype.itemsize < 4 else dw


def adds_up_in_half_precision(residuals, dz):
    x, _ = residuals

    def add(total, row):
        return total + row[0][:, None] * row[1][None, :], None

    start = jnp.zeros((x.shape[1], dz.shape[1]), dz.dtype)
    return right(residuals, dz)[0], jax.lax.scan(add, start, (x, dz))[0]


def differs_when_compiled(residuals, dz):
    dx, dw = right(residuals, dz)
    return dx, dw if isinstance(dz, Tracer) else 2 * dw


def mean_loss(x):
    return jnp.mean(jnp.square(x))


def centred(x):
    """Looks at the whole batch, so a share of the batch gives something else."""
    return x - jnp.mean(x, axis=0, keepdims=True)


def absolute(x):
    return jnp.abs(x)


def two_outputs(x):
    return {"double": 2.0 * x, "square": (x * x,)}


@jax.custom_vjp
def ignores_its_cotangent(x, w):
    """A wrong rule, importable by name."""
    return forward(x, w)[0]


ignores_its_cotangent.defvjp(forward, drops_the_cotangent)


def sine_times(x, y):
    return jnp.sin(x) * y


@jax.custom_vjp
def calls_itself(x, y):
    return jnp.sin(x) * y


calls_itself.defvjp(
    lambda x, y: (calls_itself(x, y), (jnp.cos(x), jnp.sin(x), y)),
    lambda residuals, dz: (residuals[0] * dz * residuals[2], residuals[1] * dz),
)


def look_up_plainly(table, rows):
    return table[rows]


@jax.custom_vjp
def look_up(table, rows):
    return table[rows]


look_up.defvjp(
    lambda table, rows: (table[rows], (table, rows)),
    lambda residuals, dz: (jnp.zeros_like(residuals[0]).at[residuals[1]].add(dz), None),
)


def wide(x):
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


def weighed_plainly(x, w):
    """Rows times w, and the columns' mean squares, which are kept in float32 at least."""
    return x * w[None, :], jnp.mean(wide(x) * wide(x), axis=0)


def weighed_forward(x, w):
    return weighed_plainly(x, w), (x, w)


def weighed_backward(residuals, cotangents):
    (x, w), (dz, dsquares) = residuals, cotangents
    dw = jnp.sum(wide(dz) * wide(x), axis=0)
    dx = wide(dz) * wide(w)[None, :] + 2 / len(x) * wide(x) * dsquares[None, :]
    return dx.astype(x.dtype), dw.astype(w.dtype)


@jax.custom_vjp
def weighed(x, w):
    """Two outputs, one of them shared by the batch."""
    return weighed_forward(x, w)[0]


weighed.defvjp(weighed_forward, weighed_backward)


def forgets_the_second_output(residuals, cotangents):
    return weighed_backward(residuals, (cotangents[0], jnp.zeros_like(cotangents[1])))


def squares_added_in_half_precision(x, w):
    def add(total, row):
        return total + row * row, None

    total, _ = jax.lax.scan(add, jnp.zeros_like(x[0]), x)
    return (x * w[None, :], wide(total / len(x))), (x, w)


def logarithm(x):
    """Not a number anywhere below 0."""
    return jnp.log(x)


def slope_of_a_positive(x):
    """Affine where it is defined."""
    return 2.0 * jnp.abs(x)
