"""Rules of ott-jax."""

# pyright: reportMissingImports=false

import jax
import jax.numpy as jnp
import numpy as np

from experiments.public_rules._case import public
from experiments.public_rules._references import WIDE, lambertw_reference
from ffnn_jax.verify import Kink, Rule


@public(
    "ott-jax",
    "ott.math.utils.norm",
    "defective",
    "Right away from 0; at 0 the value under differentiation is sqrt(n), not 0, and with an axis "
    "one zero row among others has a NaN gradient.",
)
def norm() -> Rule:
    from ott.math.utils import norm

    kink = Kink("zero", (np.zeros(3),), 1.0, (np.zeros(3),), value=0.0)
    return Rule(norm, lambda x: jnp.sqrt(jnp.sum(x * x)), ("N",), kinks=(kink,))


@public(
    "ott-jax",
    "ott.math.utils.logsumexp",
    "defective",
    "Right for finite entries; where all are -inf the value is -inf, and 0 under differentiation.",
)
def logsumexp() -> Rule:
    from ott.math.utils import logsumexp

    def reference(x):
        top = jax.lax.stop_gradient(jnp.max(x))
        return top + jnp.log(jnp.sum(jnp.exp(x - top)))

    kink = Kink("all -inf", (np.full(3, -np.inf),), 1.0, (np.zeros(3),), value=-np.inf)
    return Rule(logsumexp, reference, ("N",), kinks=(kink,))


@public(
    "ott-jax",
    "ott.math.utils.softmin",
    "defective",
    "Right in x; the derivative in gamma is 0, and should not be.",
    known=True,
)
def softmin() -> Rule:
    from ott.math.utils import softmin

    def reference(x, gamma):
        y = -x / gamma
        top = jax.lax.stop_gradient(jnp.max(y))
        return -gamma * (top + jnp.log(jnp.sum(jnp.exp(y - top))))

    return Rule(lambda x, gamma: softmin(x, gamma, None), reference, ("N", ":(0.5,2)"))


@public(
    "ott-jax",
    "ott.math.utils.lambertw",
    "defective",
    "Value and slope are right, at 0 too; the second derivative at 0 is NaN, and should be -2.",
)
def lambertw() -> Rule:
    from ott.math.utils import lambertw

    def draw(g, sizes):
        return (np.concatenate([g.uniform(-0.3, 5, 4), [0.0, 50.0]]),)

    return Rule(lambertw, lambertw_reference, draw=draw, dtypes=WIDE, rtol=1e-8)


@public(
    "ott-jax",
    "ott.math.matrix_square_root.sqrtm_only",
    "right",
    "Right for symmetric positive definite matrices, once, to the solver's tolerance.",
)
def sqrtm_only() -> Rule:
    from ott.math.matrix_square_root import sqrtm_only

    def reference(x):
        w, v = jnp.linalg.eigh((x + x.T) / 2)
        return (v * jnp.sqrt(w)) @ v.T

    def op(x):
        return sqrtm_only((x + x.T) / 2, 1e-12, 0, 5, 200, 0.0)

    return Rule(
        op,
        reference,
        ("NxN:spd",),
        order=1,
        dtypes=("float64",),
        rtol=1e-6,
        sizes=({"N": 2}, {"N": 4}),
    )
