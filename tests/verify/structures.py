"""Small operations on dicts, keys, complex and integer arrays, each importable by name."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Scores(NamedTuple):
    """A named tuple of outputs."""

    total: jax.Array
    rows: jax.Array


def reference_affine(params, x):
    return x @ params["w"] + params["b"][None, :]


@jax.custom_vjp
def affine(params, x):
    """A correct rule on a dict."""
    return reference_affine(params, x)


def affine_forward(params, x):
    return reference_affine(params, x), (params, x)


def affine_backward(residuals, dz):
    params, x = residuals
    return {"w": x.T @ dz, "b": dz.sum(0)}, dz @ params["w"].T


affine.defvjp(affine_forward, affine_backward)


def mean_instead_of_sum(residuals, dz):
    params, dx = affine_backward(residuals, dz)
    return params | {"b": dz.mean(0)}, dx


@jax.custom_vjp
def averaging_affine(params, x):
    """A wrong rule on a dict: db is averaged."""
    return reference_affine(params, x)


averaging_affine.defvjp(affine_forward, mean_instead_of_sum)


def reference_scores(x):
    return Scores(jnp.sum(x * x), jnp.sin(x).sum(1))


@jax.custom_vjp
def scores(x):
    """A correct rule with a named tuple of outputs; the first has no batch axis."""
    return reference_scores(x)


def scores_backward(x, dz):
    return (2 * x * dz.total + jnp.cos(x) * dz.rows[:, None],)


scores.defvjp(lambda x: (reference_scores(x), x), scores_backward)


def reference_power(n, x):
    return x**n


def power_with(slope):
    """A power whose exponent is the first and a static argument."""
    op = jax.custom_vjp(reference_power, nondiff_argnums=(0,))
    op.defvjp(lambda n, x: (reference_power(n, x), x), lambda n, x, dz: (slope(n, x) * dz,))
    return op


@jax.custom_vjp
def doubled_cube(x):
    """A wrong rule: dx is twice as large."""
    return x**3


doubled_cube.defvjp(lambda x: (x**3, x), lambda x, dz: (6 * x**2 * dz,))


def wrong_power(n, x):
    """A wrong rule whose first argument is static."""
    return doubled_cube(x) if n == 3 else x**n


def reference_look_up(table, rows):
    return table[rows]


@jax.custom_vjp
def look_up(table, rows):
    """A correct rule with an integer argument."""
    return table[rows]


def look_up_backward(residuals, dz):
    table, rows = residuals
    return jnp.zeros_like(table).at[rows].add(dz), None


look_up.defvjp(lambda table, rows: (table[rows], (table, rows)), look_up_backward)


@jax.custom_vjp
def overwriting_look_up(table, rows):
    """A wrong rule with an integer argument: a row that occurs twice counts once."""
    return table[rows]


overwriting_look_up.defvjp(
    lambda table, rows: (table[rows], (table, rows)),
    lambda residuals, dz: (jnp.zeros_like(residuals[0]).at[residuals[1]].set(dz), None),
)


def reference_dropout(key, x):
    return jnp.where(jax.random.bernoulli(key, 0.5, x.shape), 2 * x, 0)


def dropout_with(factor):
    """Dropout whose kept entries have this slope; the key has no cotangent."""
    op = jax.custom_vjp(reference_dropout)

    def forward(key, x):
        return reference_dropout(key, x), jax.random.bernoulli(key, 0.5, x.shape)

    op.defvjp(forward, lambda kept, dz: (None, jnp.where(kept, factor * dz, 0)))
    return op


def reference_phase(z):
    return z * z


def complex_with(pullback):
    """The square of complex numbers."""
    op = jax.custom_vjp(reference_phase)
    op.defvjp(lambda z: (reference_phase(z), z), lambda z, dz: (pullback(z, dz),))
    return op


def reference_with_flags(x):
    return x * x, x > 0, jnp.argmax(x)


def flags_with(flag):
    """A correct rule with a boolean and an integer output; ``flag`` computes the boolean."""
    op = jax.custom_vjp(lambda x: (x * x, flag(x), jnp.argmax(x)))
    op.defvjp(lambda x: ((x * x, flag(x), jnp.argmax(x)), x), lambda x, dz: (2 * x * dz[0],))
    return op
