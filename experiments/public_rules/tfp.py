"""Rules of TensorFlow Probability on JAX."""

# pyright: reportMissingImports=false

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from experiments.public_rules._case import public
from experiments.public_rules._references import (
    WIDE,
    determinant,
    erfcx_reference,
    integral,
    lambertw_reference,
    of_one_order,
)
from ffnn_jax.verify import Rule


def _tfp():
    from tensorflow_probability.substrates import jax as tfp

    return tfp.math


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.betainc",
    "defective",
    "Right in x; for a small integer b (or a) the derivative in it is up to 4 % off: its power "
    "series stops at the first zero term of the value, not of the derivative (other entries of "
    "the array can keep it going, and then it is right).",
)
def betainc() -> Rule:
    def reference(a, b, x):
        def part(x):
            return 4 * integral(
                lambda u, a, b, x: (
                    u**3 * x * jnp.exp((a - 1) * jnp.log(x * u**4) + (b - 1) * jnp.log1p(-x * u**4))
                ),
                (a, b, x),
            )

        return part(x) * jnp.exp(gammaln(a + b) - gammaln(a) - gammaln(b))

    def draw(generator, sizes):
        def spread(low, high):
            return generator.uniform(low, high, 3)

        return spread(1.5, 3), np.full(3, 2.0), spread(0.1, 0.3)

    return Rule(_tfp().betainc, reference, draw=draw, order=1, dtypes=WIDE, rtol=1e-8)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.erfcx",
    "defective",
    "The slope is 2 x erfcx(x) - 2 / sqrt(pi): in float32 it has 27 % error at 1e3 and is 0 at "
    "1e4, though the value is right to rounding.",
)
def erfcx() -> Rule:
    return Rule(_tfp().erfcx, erfcx_reference, draw=of_one_order, dtypes=WIDE)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.lbeta",
    "right",
    "Right in both arguments, two orders.",
)
def lbeta() -> Rule:
    def reference(x, y):
        return gammaln(x) + gammaln(y) - gammaln(x + y)

    return Rule(_tfp().lbeta, reference, ("N:(0.2,20)", "N:(0.2,20)"), dtypes=WIDE)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.log_gamma_difference",
    "right",
    "Right in both arguments, two orders.",
)
def log_gamma_difference() -> Rule:
    def reference(x, y):
        return gammaln(y) - gammaln(x + y)

    return Rule(_tfp().log_gamma_difference, reference, ("N:(0.2,3)", "N:(3,20)"), dtypes=WIDE)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.log_cosh",
    "right",
    "Right everywhere, two orders.",
)
def log_cosh() -> Rule:
    def reference(x):
        size = jnp.where(x > 0, x, -x)
        small, large = jnp.where(size < 1, size, 0.5), jnp.where(size < 1, 1, size).astype(x.dtype)
        near = jnp.log1p(2 * jnp.sinh(small / 2) ** 2)
        return jnp.where(size < 1, near, large + jnp.log1p(jnp.expm1(-2 * large) / 2)).astype(
            x.dtype
        )

    return Rule(_tfp().log_cosh, reference, ("N",), dtypes=WIDE)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.lambertw",
    "defective",
    "Value and slope are right, at 0 too; the second derivative at 0 is NaN, and should be -2.",
)
def lambertw() -> Rule:
    def draw(g, sizes):
        return (np.concatenate([g.uniform(-0.3, 5, 4), [0.0, 50.0]]),)

    return Rule(_tfp().lambertw, lambertw_reference, draw=draw, dtypes=WIDE, rtol=1e-8)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.igammainv",
    "right",
    "Right once in both arguments; second derivatives of the one in a are not those (a comment in "
    "the source says that it is held constant), so order 1.",
)
def igammainv() -> Rule:
    def reference(a, p):
        def cdf(a, x):
            return 4 * integral(
                lambda u, a, x: (
                    u**3 * x * jnp.exp((a - 1) * jnp.log(x * u**4) - x * u**4 - gammaln(a))
                ),
                (a, x),
            )

        fixed = jax.lax.stop_gradient((a, p))
        low, high = jnp.zeros_like(p), jnp.full_like(p, 60.0)
        for _ in range(60):
            middle = (low + high) / 2
            below = cdf(fixed[0], middle) < fixed[1]
            low, high = jnp.where(below, middle, low), jnp.where(below, high, middle)
        x = (low + high) / 2
        for _ in range(2):
            x = x - (cdf(a, x) - p) / jnp.exp((a - 1) * jnp.log(x) - x - gammaln(a))
        return x

    return Rule(
        _tfp().igammainv, reference, ("N:(1,5)", "N:(0.1,0.9)"), order=1, dtypes=WIDE, rtol=1e-8
    )


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.log_bessel_kve",
    "right",
    "Right in z, two orders; the order v is an argument without a gradient, as documented.",
)
def log_bessel_kve() -> Rule:
    def op(z):
        return _tfp().log_bessel_kve(jnp.asarray(1.5, z.dtype), z)

    def reference(z):
        return np.log(np.pi / 2) / 2 - jnp.log(z) / 2 + jnp.log1p(1 / z)

    return Rule(op, reference, ("N:(0.1,20)",), dtypes=WIDE)


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.hpsd_logdet",
    "right",
    "Right, two orders.",
)
def hpsd_logdet() -> Rule:
    return Rule(
        lambda a: _tfp().hpsd_logdet((a + a.T) / 2),
        lambda a: jnp.log(determinant((a + a.T) / 2)),
        ("NxN:spd",),
        dtypes=WIDE,
        sizes=({"N": 2}, {"N": 4}),
    )


def _explicit_solve(a, b):
    """Gauss elimination without pivoting, for positive definite matrices."""
    a = (a + a.T) / 2
    n = a.shape[0]
    for k in range(n):
        factor = jnp.where(jnp.arange(n) != k, a[:, k] / a[k, k], 0)
        a, b = a - factor[:, None] * a[k], b - factor[:, None] * b[k]
    return b / jnp.diag(a)[:, None]


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.hpsd_solve",
    "right",
    "Right in the matrix and the right-hand sides, two orders.",
)
def hpsd_solve() -> Rule:
    return Rule(
        lambda a, b: _tfp().hpsd_solve((a + a.T) / 2, b),
        _explicit_solve,
        ("NxN:spd", "NxK"),
        dtypes=WIDE,
        sizes=({"N": 2, "K": 3}, {"N": 4, "K": 2}),
    )


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.hpsd_quadratic_form_solve",
    "defective",
    "Right for one right-hand side; for several, the derivative in them is 2 S^T dR instead of "
    "S^T dR + dR^T S (the tangent of a symmetric output is not symmetric).",
)
def hpsd_quadratic_form_solve() -> Rule:
    return Rule(
        lambda a, b: _tfp().hpsd_quadratic_form_solve((a + a.T) / 2, b),
        lambda a, b: b.T @ _explicit_solve(a, b),
        ("NxN:spd", "NxK"),
        dtypes=WIDE,
        sizes=({"N": 2, "K": 3}, {"N": 4, "K": 2}),
    )


@public(
    "tfp-nightly",
    "tensorflow_probability.substrates.jax.math.hpsd_quadratic_form_solvevec",
    "right",
    "Right in both, two orders.",
)
def hpsd_quadratic_form_solvevec() -> Rule:
    return Rule(
        lambda a, b: _tfp().hpsd_quadratic_form_solvevec((a + a.T) / 2, b),
        lambda a, b: b @ _explicit_solve(a, b[:, None])[:, 0],
        ("NxN:spd", "N"),
        dtypes=WIDE,
        sizes=({"N": 2}, {"N": 4}),
    )
