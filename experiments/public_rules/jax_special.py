"""Rules of jax.scipy.special."""

# pyright: reportMissingImports=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from experiments.public_rules._case import public
from experiments.public_rules._references import (
    WIDE,
    erfcx_reference,
    integral,
    log_uniform,
    of_one_order,
)
from ffnn_jax.verify import Kink, Rule


@public(
    "jax",
    "jax.scipy.special.xlogy",
    "defective",
    "Right for y > 0; at (0, 0), where the documentation says that the derivative is well-defined, "
    "the one in y is NaN.",
)
def xlogy() -> Rule:
    kink = Kink("(0, 0)", (np.zeros(1), np.zeros(1)), np.ones(1), (None, np.zeros(1)))

    def reference(x, y):
        return x * jnp.log(y)

    return Rule(jax.scipy.special.xlogy, reference, ("N", "N:>0"), kinks=(kink,))


@public(
    "jax",
    "jax.scipy.special.xlog1py",
    "defective",
    "Right for y > -1; at (0, -1), where the documentation says that the derivative is "
    "well-defined, the one in y is NaN.",
)
def xlog1py() -> Rule:
    kink = Kink("(0, -1)", (np.zeros(1), -np.ones(1)), np.ones(1), (None, np.zeros(1)))
    return Rule(
        jax.scipy.special.xlog1py, lambda x, y: x * jnp.log1p(y), ("N", "N:>0"), kinks=(kink,)
    )


@public("jax", "jax.scipy.special.logit", "right", "Right inside (0, 1).")
def logit() -> Rule:
    return Rule(jax.scipy.special.logit, lambda p: jnp.log(p) - jnp.log1p(-p), ("N:(0,1)",))


@public(
    "jax",
    "jax.scipy.special.erfcx",
    "defective",
    "The slope is 2 x erfcx(x) - 2 / sqrt(pi): in float32 it has 6 % error at 1e3 and is 21 times "
    "too large at 1e4, though the value is right to rounding.",
)
def erfcx() -> Rule:
    return Rule(jax.scipy.special.erfcx, erfcx_reference, draw=of_one_order, dtypes=WIDE)


@public(
    "jax",
    "jax.scipy.special.dawsn",
    "defective",
    "The slope is 1 - 2 x dawsn(x): in float32 it has 5 % error at 1e3, though the value is right "
    "to rounding.",
)
def dawsn() -> Rule:
    def reference(x):
        small, large = (
            jnp.where(x > 8, 1.0, x).astype(x.dtype),
            jnp.where(x > 8, x, 10.0).astype(x.dtype),
        )
        near = small * integral(lambda s, x: jnp.exp(-x * x * (1 - s * s)), (small,))
        series, term = 1.0, 1.0
        for k in range(1, 20):
            term = term * (2 * k - 1) / (2 * large * large)
            series = series + term
        return jnp.where(x > 8, series / (2 * large), near).astype(x.dtype)

    return Rule(jax.scipy.special.dawsn, reference, draw=of_one_order, dtypes=WIDE)


@public(
    "jax",
    "jax.scipy.special.log_ndtr",
    "defective",
    "The slope is exp(logpdf(x) - log_ndtr(x)), a difference of two numbers near x^2 / 2: in "
    "float32 it is 2983 for 1e4 at x = -1e4; in float64 the second derivative is -0.87 for -1.",
)
def log_ndtr() -> Rule:
    def reference(x):
        low = x < -3
        near, far = jnp.where(low, 0.0, x).astype(x.dtype), jnp.where(low, x, -4.0).astype(x.dtype)
        tail = -far * far / 2 + jnp.log(erfcx_reference(-far / np.sqrt(2).astype(x.dtype)) / 2)
        # log1p keeps the slope of the upper tail
        top = jnp.where(near > 0, near, 1.0).astype(x.dtype)
        upper = jnp.log1p(-jax.lax.erfc(top / np.sqrt(2).astype(x.dtype)) / 2)
        middle = jnp.log(
            jax.lax.erfc(
                -jnp.where(near > 0, -1.0, near).astype(x.dtype) / np.sqrt(2).astype(x.dtype)
            )
            / 2
        )
        return jnp.where(low, tail, jnp.where(x > 0, upper, middle)).astype(x.dtype)

    def draw(g, sizes):
        return (np.concatenate([g.uniform(-15, 5, 4), -log_uniform(1, 1e4)(g, 3), [-1e4]]),)

    return Rule(jax.scipy.special.log_ndtr, reference, draw=draw, dtypes=WIDE, rtol=1e-6)


@public("jax", "jax.scipy.special.expi", "right", "Right on (0.1, 10), two orders.")
def expi() -> Rule:
    def reference(x):
        total, term = jnp.zeros_like(x), jnp.ones_like(x)
        for k in range(1, 70):
            term = term * x / k
            total = total + term / k
        return np.euler_gamma + jnp.log(x) + total

    return Rule(jax.scipy.special.expi, reference, ("N:(0.1,10)",), dtypes=WIDE)


@public(
    "jax", "jax.scipy.special.sici", "right", "Both outputs are right on (0.1, 15), two orders."
)
def sici() -> Rule:
    def reference(x):
        si = x * integral(lambda s, x: jnp.sin(x * s) / (x * s), (x,))
        ci = (
            np.euler_gamma
            + jnp.log(x)
            - integral(lambda s, x: 2 * jnp.sin(x * s / 2) ** 2 / s, (x,))
        )
        return si, ci

    return Rule(jax.scipy.special.sici, reference, ("N:(0.1,15)",), dtypes=WIDE)


@public(
    "jax",
    "jax.scipy.special.expn",
    "defective",
    "Value and slope are right; the second derivative raises TypeError.",
    known=True,
)
def expn() -> Rule:
    def reference(x):
        return integral(lambda u, x: jnp.exp(-x / u), (x,))

    return Rule(
        functools.partial(jax.scipy.special.expn, 2),
        reference,
        ("N:(0.5,5)",),
        dtypes=WIDE,
        rtol=1e-8,
    )


@public("jax", "jax.scipy.special.poch", "right", "Right on (0.2, 6) x (0.2, 6), two orders.")
def poch() -> Rule:
    def reference(z, m):
        return jnp.exp(gammaln(z + m) - gammaln(z))

    return Rule(jax.scipy.special.poch, reference, ("N:(0.2,6)", "N:(0.2,6)"), dtypes=WIDE)


@public(
    "jax",
    "jax.scipy.special.hyp1f1",
    "right",
    "Right once; a second derivative in a or b raises ValueError (a while loop), so order 1.",
)
def hyp1f1() -> Rule:
    def reference(a, b, x):
        total, term = jnp.ones_like(x), jnp.ones_like(x)
        for k in range(60):
            term = term * (a + k) / (b + k) * x / (k + 1)
            total = total + term
        return total

    return Rule(jax.scipy.special.hyp1f1, reference, ("N:(0.5,3)",) * 3, order=1, dtypes=WIDE)


@public(
    "jax",
    "jax.scipy.special.owens_t",
    "defective",
    "Right in both arguments, two orders; where x64 is enabled, float32 arguments give float64.",
)
def owens_t() -> Rule:
    def reference(h, a):
        return (
            a
            * integral(
                lambda s, h, a: jnp.exp(-h * h * (1 + (a * s) ** 2) / 2) / (1 + (a * s) ** 2),
                (h, a),
            )
            / (2 * np.pi)
        )

    return Rule(
        jax.scipy.special.owens_t, reference, ("N:(-3,3)", "N:(-3,3)"), dtypes=WIDE, rtol=1e-7
    )


@public(
    "jax", "jax.scipy.special.fresnel", "right", "Both outputs are right on (-2, 2), two orders."
)
def fresnel() -> Rule:
    def reference(x):
        def angle(s, x):
            return np.pi / 2 * (x * s) ** 2

        return tuple(
            x * integral(lambda s, x, f=f: f(angle(s, x)), (x,)) for f in (jnp.sin, jnp.cos)
        )

    return Rule(jax.scipy.special.fresnel, reference, ("N:(-2,2)",), dtypes=WIDE)


@public("jax", "jax.scipy.special.zeta", "right", "Right in both arguments (Hurwitz), two orders.")
def zeta() -> Rule:
    def reference(s, a):
        n = 30
        total = (
            sum((a + k) ** -s for k in range(n)) + (a + n) ** (1 - s) / (s - 1) + (a + n) ** -s / 2
        )
        term = s * (a + n) ** (-s - 1)
        for k, b in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66)):
            total = total + b * term / float(np.prod(np.arange(1, 2 * k + 3)))
            term = term * (s + 2 * k + 1) * (s + 2 * k + 2) / (a + n) ** 2
        return total

    return Rule(jax.scipy.special.zeta, reference, ("N:(1.5,8)", "N:(0.3,8)"), dtypes=WIDE)
