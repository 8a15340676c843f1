"""Central differences stand in for a backward that raises NotImplementedError, and only there."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.course import _differences
from ffnn_jax.course._differences import difference_quotients, fall_back_on_differences

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
W = np.random.default_rng(1).normal(size=(4, 2)).astype("float32")
DZ = np.random.default_rng(2).normal(size=(3, 2)).astype("float32")


def product(x, w):
    return jnp.tanh(x @ w)


def unfinished(*arguments):
    raise NotImplementedError("product_backward: dx, dw")


def scaled_power(x, labels, power):
    """Its power is static, and its labels have no cotangent."""
    return x**power * labels[:, None].astype(x.dtype)


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    _differences._say_once.cache_clear()


def operation_of(function, backward=unfinished, rows=(), static=()):
    operation: Any = jax.custom_vjp(function, nondiff_argnums=static)
    operation.defvjp(lambda *args: (function(*args), ()), backward)
    fall_back_on_differences(operation, rows)
    return operation


@pytest.mark.parametrize("rows", [(), (2, 0), (3, 0)])
@pytest.mark.parametrize(("dtype", "allowed"), [("float32", 2e-4), ("float64", 1e-9)])
def test_the_cotangents_are_those_of_autodiff(rows, dtype, allowed):
    with jax.enable_x64(True):
        x, w, dz = (jnp.asarray(array, dtype) for array in (X, W, DZ))
        expected = jax.vjp(product, x, w)[1](dz)
        actual = jax.vjp(operation_of(product, rows=rows), x, w)[1](dz)
        for ours, theirs in zip(actual, expected, strict=True):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, theirs, allowed, allowed)


def test_a_row_is_that_of_its_own_entries():
    """Moved at once, the rows of an operation that mixes them would collect one another's."""
    mixing = lambda x: x - x.sum(0, keepdims=True)  # noqa: E731
    alone, together = (difference_quotients(mixing, [X], X, [rows])[0] for rows in (0, 2))
    np.testing.assert_allclose(alone, X - X.sum(0, keepdims=True), rtol=1e-2, atol=1e-3)
    assert np.abs(alone - together).max() > 0.1


def test_with_fewer_axes_the_first_is_not_that_of_the_batch():
    """The entries of a single data point, as softmax has them, depend on one another."""
    (dx,) = difference_quotients(jax.nn.softmax, [X[0]], X[1], [2])
    np.testing.assert_allclose(dx, jax.vjp(jax.nn.softmax, X[0])[1](X[1])[0], 1e-3, 1e-4)


def test_moving_a_row_at_once_takes_a_forward_pass_for_each_of_its_entries():
    def passes(rows):
        calls = []
        count = lambda x: jax.pure_callback(  # noqa: E731
            lambda x: calls.append(0) or x, X, x, vmap_method="sequential"
        )
        jax.block_until_ready(difference_quotients(count, [X], X, [rows]))
        return len(calls)

    assert [passes(rows) for rows in (1, 2, 3)] == [2 * 4, 2 * 4, 2 * 12]


def test_static_arguments_lead_and_integers_have_no_cotangent():
    operation = operation_of(scaled_power, static=(2,))
    labels = jnp.array([1, 0, 2])
    dx, dlabels = jax.vjp(lambda x, c: operation(x, c, 3), X, labels)[1](jnp.ones_like(X))
    np.testing.assert_allclose(dx, 3 * X**2 * labels[:, None].astype("float32"), 1e-3, 1e-3)
    assert dlabels.dtype == jax.dtypes.float0


def test_several_outputs_each_have_their_cotangent():
    both = lambda x: {"double": 2 * x, "square": x**2}  # noqa: E731
    (dx,) = difference_quotients(both, [X], {"double": X, "square": 2 * X})
    np.testing.assert_allclose(dx, 2 * X + 4 * X**2, 1e-3, 1e-3)


def test_half_precision_is_moved_in_float32():
    (dx,) = difference_quotients(lambda x: x * x, [jnp.bfloat16(X)], jnp.bfloat16(X))
    assert dx.dtype == jnp.bfloat16
    np.testing.assert_allclose(dx.astype("float32"), 2 * X * X, 0.03, 0.03)


def test_an_empty_batch_has_no_entries():
    (dx,) = difference_quotients(lambda x: x, [X[:0]], X[:0], [2])
    assert dx.shape == (0, 4)


def test_quotients_that_nothing_uses_are_not_computed():
    def flops(*argnums):
        operation = operation_of(product)
        loss = lambda x, w: jnp.sum(operation(x, w))  # noqa: E731
        compiled = jax.jit(jax.grad(loss, argnums)).lower(X, W).compile()
        return str(compiled.as_text()).count(" tanh(")

    assert flops(0) < flops(0, 1) > flops(1)


def test_a_backward_that_is_written_is_used():
    def backward(power, residuals, dz):
        if power != 3:
            raise NotImplementedError
        return 100 * dz, None

    operation = operation_of(scaled_power, backward, static=(2,))
    of_power = [functools.partial(operation, power=power) for power in (3, 2)]
    labels = jnp.array([1, 1, 1])
    written, other = (jax.vjp(f, X, labels)[1](jnp.ones_like(X))[0] for f in of_power)
    np.testing.assert_array_equal(written, np.full_like(X, 100))
    np.testing.assert_allclose(other, 2 * X, 1e-3, 1e-3)


def test_it_is_said_once_for_each_operation(capsys):
    for _ in range(2):
        for function in (product, lambda x, w: x @ w):
            jax.vjp(operation_of(function), X, W)[1](DZ)
    said = "its backward is not written yet; central differences are used instead (slow)"
    assert capsys.readouterr().err == f"product: {said}\n<lambda>: {said}\n"
