"""Every primitive that is known, on rational numbers against jax itself, and what is unknown."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

pytest.importorskip("flint")

from ffnn_jax.proof import known_primitives
from ffnn_jax.proof.algebra import Field, Interpreter, UndecidedError, interval, objects

A = np.array([[0.5, -1.25, 3.0], [2.0, 0.75, -0.5]])
B = np.array([[1.5, 0.25, 3.0], [-2.0, 1.75, 0.5]])
POSITIVE = np.array([0.25, 1.5, 3.0])
IMAGES = np.arange(24.0).reshape(1, 3, 4, 2) / 4 - 2
KERNELS = np.arange(12.0).reshape(2, 1, 2, 3) / 2 - 1


@jax.custom_jvp
def doubled(x):
    return 2 * x


doubled.defjvp(lambda primals, tangents: (doubled(*primals), 2 * tangents[0]))


@jax.custom_vjp
def tripled(x):
    return 3 * x


tripled.defvjp(lambda x: (3 * x, None), lambda _, dz: (3 * dz,))


def by_platform(x):
    return lax.platform_dependent(x, cpu=lambda x: x + x, default=lambda x: 2 * x)


def running_sums(x):
    return lax.scan(lambda total, row: (total + row, total * row), jnp.zeros(3), x)


def running_backwards(x):
    return lax.scan(lambda total, row: (total + row, total), jnp.zeros(3), x, reverse=True)


FUNCTIONS = {
    "arithmetic": (lambda a, b: (a + b, a - b, a * b, a / b, -a, a**3, lax.square(b)), (A, B)),
    "exponentials": (lambda a: (jnp.exp(a), jnp.expm1(a), jnp.exp2(a), jnp.tanh(a)), (A,)),
    "logistic and erf": (lambda a: (jax.nn.sigmoid(a), lax.erf(a), lax.erfc(a)), (A,)),
    "logarithms": (lambda a: (jnp.log(a), jnp.log1p(a)), (POSITIVE,)),
    "roots": (lambda a: (jnp.sqrt(a), jnp.cbrt(a), lax.rsqrt(a), a**1.5, a**-0.25), (POSITIVE,)),
    "a power": (lambda a, b: a**b, (POSITIVE, POSITIVE[::-1].copy())),
    "extremes": (lambda a, b: (jnp.maximum(a, b), jnp.minimum(a, b), jnp.abs(a)), (A, B)),
    "clamp and sign": (lambda a: (lax.clamp(-1.0, a, 1.0), jnp.sign(a)), (A,)),
    "comparisons": (
        lambda a, b: [jnp.where(f(a, b), 1.0, 0.0) for f in COMPARISONS],
        (A, B),
    ),
    "finite": (lambda a: jnp.where(jnp.isfinite(a), a, 0.0), (A,)),
    "reductions": (lambda a: (a.sum(0), a.max(1), a.min(1), jnp.cumsum(a, 1)), (A,)),
    "a product": (lambda a: jnp.prod(a, 1), (A,)),
    "apart": (lambda a: jax.vjp(lambda *rows: jnp.stack(rows), *a)[1](a), (A,)),
    "places": (lambda a: (jnp.argmax(a, 1), jnp.argmin(a, 0)), (A,)),
    "shapes": (lambda a: (a.T, a.reshape(3, 2), a[:, None], jnp.squeeze(a[:1], 0)), (A,)),
    "parts": (lambda a: (a[::-1], a[:, 1:], jnp.split(a, 3, 1)[1], jnp.tile(a, 2)), (A,)),
    "joined": (lambda a, b: (jnp.concatenate([a, b], 1), jnp.stack([a, b])), (A, B)),
    "padded": (lambda a: lax.pad(a, 1.5, ((1, 0, 1), (0, 2, 0))), (A,)),
    "indexed": (lambda a: (a[:, jnp.array([2, 0])], lax.dynamic_slice(a, (1, 1), (1, 2))), (A,)),
    "set": (lambda a: (a.at[1].set(7.0), lax.dynamic_update_slice(a, a[:1, :1], (1, 2))), (A,)),
    "added": (lambda a: a.at[jnp.array([0, 0])].add(a), (A,)),
    "multiplied": (lambda a: a.at[jnp.array([0, 0])].multiply(a), (A,)),
    "products": (lambda a, b: (a @ b.T, jnp.einsum("ij,ij->i", a, b)), (A, B)),
    "convolution": (
        lambda x, w: lax.conv_general_dilated(
            x, w, (2, 1), ((1, 0), (0, 1)), (1, 2), (1, 2), ("NHWC", "HWIO", "NHWC")
        ),
        (IMAGES, KERNELS),
    ),
    "window sums": (
        lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 2, 1), "SAME"),
        (IMAGES,),
    ),
    "calls": (lambda a: (doubled(a), tripled(a), jax.jit(jnp.exp)(a)), (A,)),
    "checkpoint": (lambda a: jax.checkpoint(lambda x: x * x)(a), (A,)),
    "branches": (lambda a: (lax.cond(a.shape[0] > 1, jnp.exp, jnp.sin, a), by_platform(a)), (A,)),
    "an index": (lambda a: lax.switch(jnp.argmax(a[0]), [jnp.exp, jnp.sin, lax.neg], a), (A,)),
    "scans": (lambda a: (running_sums(a), running_backwards(a)), (A,)),
    "identities": (
        lambda a: (
            lax.optimization_barrier(a), lax.stop_gradient(a), lax.reduce_precision(a, 8, 23),
        ),
        (A,),
    ),
    "a copy": (lambda a: jnp.array(a, copy=True).astype(jnp.float32).astype(float), (A,)),
    "constants": (lambda a: a * np.array([[1.0, 0.5, 0.25]]) + jnp.arange(3.0)[None], (A,)),
}  # fmt: skip
COMPARISONS = lax.eq, lax.ne, lax.lt, lax.le, lax.gt, lax.ge
UNTESTED = {  # other versions of jax have these names, or other programs
    "pjit", "closed_call", "core_call", "custom_vjp_call_jaxpr", "remat", "remat2", "expand_dims",
    "add_any", "checkpoint", "copy", "tile",
}  # fmt: skip
SEEN: set[str] = set()


def run(function, args):
    """The outputs of a function on exact rational numbers, as floats."""
    field = Field(0)
    with jax.enable_x64(True):
        traced = jax.make_jaxpr(function)(*args)
        exact = [
            objects([field.of(Fraction(v)) for v in a.ravel().tolist()], a.shape) for a in args
        ]
        interpreter = Interpreter(field, lambda a: int(np.sign(float(interval(a, {})))))
        found = interpreter(traced, exact)
        expected = jax.tree.leaves(function(*map(jnp.asarray, args)))
    SEEN.update(names_in(traced.jaxpr))
    return [as_floats(one) for one in found], expected


def names_in(jaxpr):
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(equation.params, is_leaf=lambda v: hasattr(v, "eqns")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from names_in(inner)


def as_floats(array):
    if array.dtype != object:
        return array
    numbers = [v if isinstance(v, float) else float(interval(v, {})) for v in array.ravel()]
    return np.array(numbers).reshape(array.shape)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_values_that_jax_gives_it(name: str):
    found, expected = run(*FUNCTIONS[name])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_every_known_primitive_is_tested_here():
    for function, args in FUNCTIONS.values():
        with jax.enable_x64(True):
            SEEN.update(names_in(jax.make_jaxpr(function)(*args).jaxpr))
    assert set(known_primitives()) - SEEN - UNTESTED == set()


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (jnp.sin, "the primitive sin"), (lambda a: jnp.sort(a), "the primitive sort"),
        (lambda a: a.astype(int), "conversion of symbols to integers"),
        (lambda a: a + jnp.inf, "arithmetic with inf"),
        (lambda a: a.at[5].get(mode="fill", fill_value=0), "reading outside an array"),
        (lambda a: lax.platform_dependent(a, cpu=lax.neg, default=lambda a: a), "platforms that"),
    ],
)  # fmt: skip
def test_what_is_unknown_is_not_decided(function, reason: str):
    with pytest.raises(UndecidedError, match=reason):
        run(function, (A,))
