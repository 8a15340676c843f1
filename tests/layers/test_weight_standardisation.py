import functools

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import WEIGHT_STANDARDISATION
from ffnn_jax.layers import (
    layer_norm_backward,
    layer_norm_forward,
    weight_standardisation,
    weight_standardisation_backward,
    weight_standardisation_forward,
)
from tests.layers.checking import (
    assert_close,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (weight.1)-(weight.4) gives (weight.5)."""
    assert_verified(WEIGHT_STANDARDISATION)


def test_value_and_cotangents_equal_autodiff_of_the_definition():
    functions = weight_standardisation, WEIGHT_STANDARDISATION.reference
    ours, theirs = (functools.partial(f, eps=0.25) for f in functions)
    assert_same_rule(ours, theirs, "3x2x4x5")


def test_weight_1_to_5_worked_by_hand():
    """(weight.1)-(weight.5): mean 3, variance 5/2, rstd 1/2; the second output is constant.

    z is -1, -1/2, 1/2, 1; dz has mean 1, and dz z has -3/4.
    """
    w = jnp.array([[1.0, 2, 4, 5], [6, 6, 6, 6]]).T.reshape(2, 2, 1, 2)
    z, residuals = weight_standardisation_forward(w, 1.5)
    np.testing.assert_array_equal(residuals.mean, [3, 6])
    assert residuals.rstd[0] == 0.5
    np.testing.assert_array_equal(z.reshape(4, 2).T, [[-1, -0.5, 0.5, 1], [0, 0, 0, 0]])
    dz = jnp.array([[4.0, 0, -2, 2], [3, 3, 3, 3]]).T.reshape(2, 2, 1, 2)
    (dw,) = weight_standardisation_backward(1.5, residuals, dz)
    expected = [[1.125, -0.6875, -1.3125, 0.875], [0, 0, 0, 0]]
    np.testing.assert_array_equal(dw.reshape(4, 2).T, expected)


def test_dw_sums_to_0_and_its_component_along_z_vanishes_with_eps_by_weight_6():
    w, dz = normal(0, 3, 4, 2) + 1, normal(1, 3, 4, 2)
    z, residuals = weight_standardisation_forward(w, 0.25)
    (dw,) = weight_standardisation_backward(0.25, residuals, dz)
    assert_close(dw.sum((0, 1)), np.zeros(2), 12)
    along = 0.25 * residuals.rstd**3 * (dz * z).sum((0, 1))
    assert_close((dw * z).sum((0, 1)), along, 12)


def test_each_output_is_a_row_of_layer_norm_with_scale_1():
    w, dz = normal(0, 2, 3, 4), normal(1, 2, 3, 4)
    z, residuals = weight_standardisation_forward(w)
    (dw,) = weight_standardisation_backward(1e-5, residuals, dz)
    rows, d_rows = (each.reshape(6, 4).T for each in (w, dz))
    layer_z, kept = layer_norm_forward(rows, jnp.ones(6), jnp.zeros(6))
    layer_dx, _, _ = layer_norm_backward(1e-5, kept, d_rows)
    assert_close((z.reshape(6, 4).T, dw.reshape(6, 4).T), (layer_z, layer_dx), 6)


def test_the_weights_mean_and_size_have_no_effect():
    w = normal(0, 3, 3, 2, 4)
    factors, means = jnp.array([2.0, 0.5, 7, 3]), jnp.array([1.0, -3, 5, 0])
    changed = w * factors[None, None, None] + means[None, None, None]
    z, of_changed = (weight_standardisation(each, 1e-12) for each in (w, changed))
    assert_close(of_changed, z, 18)
    assert_close(jnp.mean(z**2, (0, 1, 2)), np.ones(4), 18)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_equal_weights_have_z_0_and_dw_without_its_mean(dtype):
    z, residuals = weight_standardisation_forward(jnp.full((3, 1), 96.0, dtype), 0.25)
    dz = jnp.array([[1.0], [2], [6]], dtype)
    (dw,) = weight_standardisation_backward(0.25, residuals, dz)
    assert z.dtype == dw.dtype == dtype
    np.testing.assert_array_equal(z.astype("float64"), np.zeros((3, 1)))
    np.testing.assert_array_equal(dw.astype("float64"), [[-4], [-2], [6]])


def test_the_residuals_are_w_and_two_numbers_per_output():
    kept = [("float64", (3, 3, 2, 4)), ("float64", (4,)), ("float64", (4,))]
    assert kept_residuals(weight_standardisation, normal(0, 3, 3, 2, 4)) == kept


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0, 2, 4)])
def test_outputs_without_weights_are_rejected(shape):
    with pytest.raises(ValueError, match=r"weight_standardisation: w must be of shape .*, with we"):
        weight_standardisation(jnp.ones(shape))


@pytest.mark.parametrize("eps", [0, float("nan"), None])
def test_an_eps_that_is_not_finite_and_above_0_is_rejected(eps):
    with pytest.raises(
        ValueError, match="weight_standardisation: eps must be a finite number abov"
    ):
        weight_standardisation(jnp.ones((3, 2)), eps)
