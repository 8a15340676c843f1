"""Rules of numpyro and distrax."""

# pyright: reportMissingImports=false

import jax.numpy as jnp
import numpy as np

from experiments.public_rules._case import public
from experiments.public_rules._references import WIDE, integral, log1mexp_reference
from ffnn_jax.verify import Rule


@public(
    "distrax",
    "distrax._src.utils.math.multiply_no_nan",
    "right",
    "Right in both arguments; for y = 0 the cotangent of y is x, infinite where x is.",
)
def multiply_no_nan() -> Rule:
    from distrax._src.utils.math import multiply_no_nan

    return Rule(multiply_no_nan, lambda x, y: x * y, ("N", "N"))


@public(
    "distrax",
    "distrax.VonMises.cdf",
    "right",
    "Right in both arguments for concentrations up to 3, two orders (2e-10 near 6; above 10.5 it "
    "is a documented approximation).",
)
def von_mises_cdf() -> Rule:
    import distrax

    def op(x, k):
        return distrax.VonMises(jnp.zeros((), x.dtype), k).cdf(x)

    def reference(x, k):
        def density(t, k):
            return jnp.exp(k * (jnp.cos(t) - 1))

        part = x * integral(lambda s, x, k: density(x * s, k), (x, k))
        half = np.pi * integral(lambda s, k: density(np.pi * s, k), (k,))
        return 0.5 + part / (2 * half)

    return Rule(op, reference, ("N:(-3,3)", "N:(0.2,3)"), dtypes=WIDE, rtol=1e-8)


@public(
    "numpyro",
    "numpyro.distributions.util.log1mexp",
    "defective",
    "Value and slope are right; the second derivative is NaN for x < -709 (float64) and x < -88 "
    "(float32), where it underflows to 0.",
)
def log1mexp() -> Rule:
    from numpyro.distributions.util import log1mexp

    return Rule(lambda y: log1mexp(-y), log1mexp_reference, ("N:>0",))


def _power_law(method):
    from numpyro.distributions import DoublyTruncatedPowerLaw

    def op(x, alpha, low, high):
        return getattr(DoublyTruncatedPowerLaw(alpha, low, high, validate_args=False), method)(x)

    return op


def _power_law_cdf(x, alpha, low, high):
    """(e^bt - 1) / (e^bT - 1), smooth at b = 0.

    With t = log(x / low), T = log(high / low), b = alpha + 1.
    """

    def part(t):
        return t * integral(lambda s, b, t: jnp.exp(b * t * s), (alpha + 1, t))

    return part(jnp.log(x / low)) / part(jnp.log(high / low))


@public(
    "numpyro",
    "numpyro.distributions.DoublyTruncatedPowerLaw.log_prob",
    "defective",
    "The derivatives in both bounds are those of the density, not of its logarithm, and the one "
    "in the upper bound has the opposite sign for alpha != -1.",
    known=True,
)
def doubly_truncated_power_law_log_prob() -> Rule:
    def reference(x, alpha, low, high):
        total = jnp.log(high / low)
        area = total * integral(lambda s, b, t: jnp.exp(b * t * s), (alpha + 1, total))
        return alpha * jnp.log(x) - (alpha + 1) * jnp.log(low) - jnp.log(area)

    arguments = ("N:(1.5,3)", "N:(0.2,2)", "N:(0.5,1.2)", "N:(3.5,5)")
    return Rule(_power_law("log_prob"), reference, arguments, order=1, dtypes=WIDE)


@public(
    "numpyro",
    "numpyro.distributions.DoublyTruncatedPowerLaw.cdf",
    "defective",
    "Right for alpha != -1 inside the support; at alpha = -1 the derivative in the upper bound "
    "has the opposite sign, and the one in alpha (a documented approximation) has 10 % error in "
    "float32; outside the support the value is constant and the gradient is not 0.",
)
def doubly_truncated_power_law_cdf() -> Rule:
    def draw(generator, sizes):
        alpha = np.append(generator.uniform(0.2, 2, 3), -1.0)

        def spread(low, high):
            return generator.uniform(low, high, 4)

        return spread(1.5, 3), alpha, spread(0.5, 1.2), spread(3.5, 5)

    return Rule(_power_law("cdf"), _power_law_cdf, draw=draw, order=1, dtypes=WIDE, rtol=1e-3)


@public(
    "numpyro",
    "numpyro.distributions.DoublyTruncatedPowerLaw.icdf",
    "right",
    "Right for alpha != -1, once and twice (at alpha = -1 the one in alpha is a documented "
    "approximation).",
)
def doubly_truncated_power_law_icdf() -> Rule:
    def reference(q, alpha, low, high):
        b = alpha + 1
        return (low**b + q * (high**b - low**b)) ** (1 / b)

    arguments = ("N:(0.1,0.9)", "N:(0.2,2)", "N:(0.5,1.2)", "N:(3.5,5)")
    return Rule(_power_law("icdf"), reference, arguments, dtypes=WIDE)
