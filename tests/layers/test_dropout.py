import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import DROPOUT
from ffnn_jax.layers import dropout
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_verified,
    kept_residuals,
    normal,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (dropout.1) gives (dropout.4)."""
    assert_verified(DROPOUT)


def test_the_expected_z_is_x_by_dropout_2():
    """Over all masks of three entries, weighted by probability."""
    x, rate = normal(0, 3), 0.25
    expected = jnp.zeros(3)
    for mask in itertools.product((0, 1), repeat=3):
        probability = (1 - rate) ** sum(mask) * rate ** (3 - sum(mask))
        expected += probability * dropout(x, jnp.array(mask), rate)
    assert_close(expected, x, 8)


def test_jacobian_is_dropout_3():
    mask = jnp.array([1, 0, 1])
    jacobian = jax.jacrev(lambda x: dropout(x, mask, 0.5))(normal(0, 3))
    np.testing.assert_array_equal(jacobian, np.diag([2, 0, 2]))


def test_dropped_entries_are_0_even_if_not_finite():
    x, mask = jnp.array([INF, -INF, NAN, 1, 0]), jnp.array([0, 0, 0, 0, 1])
    z, pull = jax.vjp(lambda x: dropout(x, mask, 0.5), x)
    np.testing.assert_array_equal(z, np.zeros(5))
    (dx,) = pull(jnp.array([1, 1, 1, INF, 3]))
    np.testing.assert_array_equal(dx, [0, 0, 0, 0, 6])


@pytest.mark.parametrize("rate", [0, 0.0, np.float32(0)])
def test_rate_0_leaves_kept_entries_unchanged(rate):
    x, mask = normal(0, 4, 3), jnp.ones((4, 3), bool)
    assert_same_bits(dropout(x, mask, rate), x)
    assert_same_bits(dropout(x, mask.at[2].set(False), rate), x.at[2].set(0))


@pytest.mark.parametrize("rate", [1, 1.0])
def test_rate_1_gives_zeros_even_for_kept_entries(rate):
    x, mask = jnp.array([1.0, INF, NAN, 0]), jnp.array([True, True, True, False])
    with jax.debug_nans(True):
        z, pull = jax.vjp(lambda x: dropout(x, mask, rate), x)
        (dx,) = pull(jnp.ones(4))
    np.testing.assert_array_equal((z, dx), np.zeros((2, 4)))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64"])
def test_a_mask_may_be_boolean_or_of_any_integer_dtype(dtype):
    """It has no cotangent, and the only residual is one byte per entry."""
    x, mask = normal(0, 3, 2), jnp.array([[1, 0], [0, 1], [1, 1]], dtype)
    z, pull = jax.vjp(lambda x: dropout(x, mask, 0.5), x)
    assert_same_bits((z, pull(x)), (2 * x * mask.astype(x.dtype), (z,)))
    assert kept_residuals(lambda x: dropout(x, mask, 0.5), x) == [("bool", (3, 2))]
    dmask = jax.vjp(lambda mask: dropout(x, mask, 0.5), mask)[1](x)[0]
    assert dmask.dtype == jax.dtypes.float0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_kept_entries_are_rounded_once(dtype):
    x = jnp.linspace(-3, 3, 129).astype(dtype)
    z = dropout(x, jnp.ones(129, bool), 0.1)
    exact = np.asarray(x, np.float64) / (1 - 0.1)
    assert_same_bits(z, jnp.asarray(exact, "float32").astype(dtype))


@pytest.mark.parametrize("rate", [-0.1, 1.5, NAN, True, "0.5"])
def test_a_rate_that_is_not_a_probability_is_rejected(rate):
    message = f"dropout: rate must be a number from 0 to 1, got {rate!r}"
    with pytest.raises(ValueError, match=message):
        dropout(jnp.ones(4), jnp.ones(4, bool), rate)


def test_masks_and_x_that_do_not_match_are_rejected():
    x, mask = jnp.ones((2, 4)), jnp.ones((2, 4), bool)
    with pytest.raises(
        ValueError, match="mask must be boolean or of an integer dtype, got float64"
    ):
        dropout(x, x, 0.5)
    with pytest.raises(ValueError, match=r"mask must be of shape \(2, 4\), got \(1, 4\)"):
        dropout(x, mask[:1], 0.5)
    with pytest.raises(ValueError, match="dropout: x must be of a floating-point dtype, got int64"):
        dropout(mask.astype("int64"), mask, 0.5)
