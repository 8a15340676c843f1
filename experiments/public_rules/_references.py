"""Plain functions that the references of several rules share, and ways to draw arguments."""

import jax
import jax.numpy as jnp
import numpy as np

WIDE = ("float64", "float32")  # LAPACK, or series with constants for two dtypes
_NODES, _WEIGHTS = (values / 2 for values in np.polynomial.legendre.leggauss(120))
_NODES = _NODES + 0.5  # on [0, 1]


def integral(f, args):
    """The integral of f(s, *args) over s in [0, 1]; the nodes are on a new last axis."""
    dtype = jnp.result_type(*args)
    nodes, weights = jnp.asarray(_NODES, dtype), jnp.asarray(_WEIGHTS, dtype)
    return jnp.sum(weights * f(nodes, *(jnp.asarray(a)[..., None] for a in args)), -1)


def log_uniform(low, high):
    """A function that draws numbers whose logarithms are uniform."""
    return lambda generator, shape: np.exp(generator.uniform(np.log(low), np.log(high), shape))


def of_one_order(generator, sizes):
    """Five large numbers, of one order so that none hides another."""
    return (log_uniform(1e2, 1e4)(generator, 5),)


def erfcx_reference(x):
    """exp(x^2) erfc(x), by the continued fraction for x > 2 (derivatives without cancellation)."""
    small = jnp.where(x > 2, 1.0, x).astype(x.dtype)
    large = jnp.where(x > 2, x, 3.0).astype(x.dtype)
    fraction = large
    for k in range(120, 0, -1):
        fraction = large + (k / 2) / fraction
    direct = jnp.exp(small * small) * jax.lax.erfc(small)
    return jnp.where(x > 2, 1 / (np.sqrt(np.pi) * fraction), direct).astype(x.dtype)


def determinant(a):
    """By Laplace's expansion, exact for singular matrices too."""
    if a.shape[-1] == 1:
        return a[0, 0]
    minors = (jnp.delete(jnp.delete(a, 0, 0), j, 1) for j in range(a.shape[0]))
    return sum((-1) ** j * a[0, j] * determinant(m) for j, m in enumerate(minors))


def lambertw_reference(z):
    """Newton's method; the last three steps are differentiated, which suffices for two orders."""
    z = jnp.asarray(z)
    fixed = jax.lax.stop_gradient(z)
    p = jnp.sqrt(jnp.maximum(2 * (np.e * fixed + 1), 0))
    w = jnp.where(
        fixed < -0.2, -1 + p - p * p / 3 + 11 * p**3 / 72, jnp.log1p(jnp.maximum(fixed, -0.2))
    )
    for step in range(13):
        base, target = (w, fixed) if step < 10 else (w, z)
        w = base - (base - target * jnp.exp(-base)) / (1 + base)
    return w.astype(z.dtype)


def log1mexp_reference(x):
    """log(1 - exp(-x)) for x > 0, each branch differentiated where it is used."""
    near = x < np.log(2)
    low, high = jnp.where(near, x, 0.5).astype(x.dtype), jnp.where(near, 1.0, x).astype(x.dtype)
    return jnp.where(near, jnp.log(-jnp.expm1(-low)), jnp.log1p(-jnp.exp(-high)))


def simplex_reference(x, largest=None):
    """Euclidean projection onto the simplex by the sorted formula."""
    n = x.shape[0]
    values = jnp.sort(x)[::-1]
    k = jnp.arange(1, n + 1)
    allowed = (k <= (largest or n)) & ((1 + k * values - jnp.cumsum(values)) > 0)
    count = jax.lax.stop_gradient(jnp.sum(allowed))
    tau = (jnp.sum(jnp.where(k <= count, values, 0)) - 1) / count.astype(x.dtype)
    kept = x >= jax.lax.stop_gradient(values[count - 1])
    return jnp.where(kept, x - tau, 0).astype(x.dtype)
