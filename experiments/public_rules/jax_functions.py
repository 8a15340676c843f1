"""Rules of jax outside of scipy.special."""

# pyright: reportMissingImports=false

import jax
import jax.numpy as jnp
import numpy as np

from experiments.public_rules._case import public
from experiments.public_rules._references import WIDE, determinant, integral, log1mexp_reference
from ffnn_jax.verify import Kink, Rule


@public(
    "jax", "jax.nn.relu", "right", "Right everywhere; slope 0 at 0, as documented.", sample=True
)
def relu() -> Rule:
    kink = Kink("zero", (np.zeros(1),), np.ones(1), (np.zeros(1),))
    return Rule(jax.nn.relu, lambda x: jnp.where(x > 0, x, 0), ("NxD",), batch="N", kinks=(kink,))


@public("jax", "jax.nn.relu6", "right", "Right everywhere; slope 0 at 0 and at 6.")
def relu6() -> Rule:
    kinks = tuple(
        Kink(f"at {p:g}", (np.full(1, p),), np.ones(1), (np.zeros(1),)) for p in (0.0, 6.0)
    )

    def reference(x):
        return jnp.where((x > 0) & (x < 6), x, jax.lax.stop_gradient(jnp.clip(x, 0, 6)))

    return Rule(jax.nn.relu6, reference, ("NxD",), batch="N", kinks=kinks)


@public(
    "jax", "jax.nn.softmax", "right", "Right everywhere, in every dtype and order.", sample=True
)
def softmax() -> Rule:
    def reference(x):
        e = jnp.exp(x - jax.lax.stop_gradient(jnp.max(x, -1, keepdims=True)))
        return e / jnp.sum(e, -1, keepdims=True)

    return Rule(jax.nn.softmax, reference, ("NxD",), batch="N")


@public(
    "jax",
    "jax.nn.log1mexp",
    "defective",
    "Value and slope are right; the second derivative is NaN for x > 709 (float64) and x > 88 "
    "(float32), where it underflows to 0.",
)
def log1mexp() -> Rule:
    return Rule(jax.nn.log1mexp, log1mexp_reference, ("N:>0",))


@public("jax", "jax.numpy.logaddexp", "right", "Right everywhere, ties included.", sample=True)
def logaddexp() -> Rule:
    def reference(x, y):
        top = jax.lax.stop_gradient(jnp.maximum(x, y))
        return top + jnp.log(jnp.exp(x - top) + jnp.exp(y - top))

    return Rule(jnp.logaddexp, reference, ("N", "N"))


@public(
    "jax",
    "jax.numpy.linalg.det",
    "defective",
    "Right for regular matrices; for 4x4 matrices of rank 3 with a zero first or second column the "
    "gradient is 0 everywhere, and the cofactors are not; second derivatives at rank 3 are NaN.",
)
def det() -> Rule:
    def draw(generator, sizes):
        a = generator.normal(size=(4, 4))
        if generator.random() < 0.5:
            a[:, generator.integers(2)] = 0  # rank 3
        return (a,)

    return Rule(jnp.linalg.det, determinant, draw=draw, dtypes=WIDE)


@public("jax", "jax.numpy.linalg.slogdet", "right", "Both outputs are right for regular matrices.")
def slogdet() -> Rule:
    def reference(a):
        d = determinant(a)
        return jnp.sign(d), jnp.log(jnp.abs(d))

    def draw(generator, sizes):
        return (generator.normal(size=(4, 4)) + 3 * np.diag(generator.choice([-1, 1], 4)),)

    return Rule(
        jnp.linalg.slogdet,
        lambda a: type(jnp.linalg.slogdet(a))(*reference(a)),
        draw=draw,
        dtypes=WIDE,
    )


@public(
    "jax",
    "jax.numpy.i0",
    "defective",
    "Value and slope are right; the second derivative at 0 is 0, and should be 1/2.",
    known=True,
)
def i0() -> Rule:
    def reference(x):
        return integral(lambda s, x: jnp.exp(x * jnp.cos(np.pi * s)), (x,))

    def draw(g, sizes):
        return (np.append(g.uniform(-3, 3, 4), 0.0),)

    return Rule(jnp.i0, reference, draw=draw, dtypes=WIDE)


@public(
    "jax",
    "jax.experimental.ode.odeint",
    "right",
    "Right in the initial state and the parameter, to the solver's tolerance; reverse mode, once.",
)
def odeint() -> Rule:
    from jax.experimental.ode import odeint

    times = np.array([0.0, 0.5, 1.5])

    def op(y0, rate):
        return odeint(
            lambda y, t, rate: -rate * y,
            y0,
            jnp.asarray(times, y0.dtype),
            rate,
            rtol=1e-10,
            atol=1e-10,
        )

    def reference(y0, rate):
        return y0 * jnp.exp(-rate * times.astype(y0.dtype)[:, None])

    return Rule(op, reference, ("D:(0.5,2)", "D:(0.2,2)"), order=1, dtypes=("float64",), rtol=1e-6)
