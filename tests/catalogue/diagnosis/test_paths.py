"""Each path has a name that a reader knows, and leaving it out is what stop_gradient does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import stop_gradient

from ffnn_jax.catalogue.diagnosis._paths import PART, trace

X, DZ = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]), np.array([[1.0, 2.0, -3.0]] * 2)


def centred(x, mean=lambda x: jnp.mean(x, axis=0, keepdims=True)):
    return (x - mean(x)) ** 2


def without(function, text, *args):
    paths = trace(function, ["x", "w"][: len(args)], range(len(args)), args)
    kept = paths.all
    kept[paths.texts.index(text)] = False
    return paths.pull(args, [DZ], kept)


def pulled(function, *args):
    z, pull = jax.vjp(function, *args)
    return [z, *pull(DZ)]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (PART + "mean(x)", lambda x: centred(x, lambda x: stop_gradient(jnp.mean(x, 0)[None, :]))),
        (PART + "x in x - mean(x)", lambda x: centred(stop_gradient(x), lambda _: centre(x))),
        (
            "{d} is right but for the derivative of (x - mean(x))^2, left out",
            lambda x: x - centre(x),
        ),
        (
            "{d} is right but for the 2 in mean(x), which was left out",
            lambda x: centred(x, lambda x: jnp.sum(x, 0)[None, :]),
        ),
    ],
)
def test_a_gradient_without_a_path(text, other, x64):
    got, expected = without(centred, text, X)[1], pulled(other, X)[1]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def centre(x):
    return jnp.mean(x, axis=0, keepdims=True)


def test_with_all_paths_the_value_and_the_gradients_are_autodiffs(x64):
    def product(x, w):
        return jax.jit(jnp.tanh)(x @ w) / jnp.sum(jnp.exp(x))

    w = np.arange(9.0).reshape(3, 3) / 10
    paths = trace(product, ["x", "w"], (0, 1), (X, w))
    for got, expected in zip(
        paths.pull([X, w], [DZ], paths.all), pulled(product, X, w), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    values = paths.values([X, w])
    np.testing.assert_allclose(values["tanh(x @ w)"], np.tanh(X @ w), rtol=1e-12)
    np.testing.assert_allclose(values["sum(exp(x))"], np.exp(X).sum(), rtol=1e-12)


def test_a_rule_of_its_own_is_traced_through(x64):
    wrong = jax.custom_vjp(jnp.sin)
    wrong.defvjp(lambda x: (jnp.sin(x), x), lambda x, dz: (7 * dz,))
    paths = trace(wrong, ["x"], (0,), (X,))
    np.testing.assert_allclose(paths.pull([X], [DZ], paths.all)[1], np.cos(X) * DZ, rtol=1e-12)


def test_a_function_of_too_many_paths_is_refused():
    def long(x):
        return sum(jnp.sin(k * x) for k in range(200))

    with pytest.raises(ValueError, match="paths are more than"):
        trace(long, ["x"], (0,), (X,))
