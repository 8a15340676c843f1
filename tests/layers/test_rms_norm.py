import functools

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import RMS_NORM
from ffnn_jax.layers import (
    layer_norm_backward,
    layer_norm_forward,
    rms_norm,
    rms_norm_backward,
    rms_norm_forward,
)
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (rms.1)-(rms.4) gives (rms.8) and (rms.5)."""
    assert_verified(RMS_NORM)


def test_value_and_cotangents_equal_autodiff_of_the_definition():
    ours, theirs = (functools.partial(f, eps=0.25) for f in (rms_norm, RMS_NORM.reference))
    assert_same_rule(ours, theirs, "3x2x5", "5")


def test_rms_1_to_6_and_8_worked_by_hand():
    """(rms.1)-(rms.6), (rms.8): the mean square is 5/2, x^ is 1/2 and 1; dx^ is 4 and -2.

    The mean of dx^ x^ is 0 in the first row; in the second x^ is 0.
    """
    x, scale = jnp.array([[1.0, 2], [0, 0]]), jnp.array([4.0, 1])
    z, residuals = rms_norm_forward(x, scale, 1.5)
    assert residuals.rrms[0] == 0.5
    np.testing.assert_array_equal(z, [[2, 1], [0, 0]])
    dx, dscale = rms_norm_backward(1.5, residuals, jnp.array([[1.0, -2], [0, 0]]))
    np.testing.assert_array_equal(dx, [[2, -1], [0, 0]])
    np.testing.assert_array_equal(dscale, [0.5, -2])
    dx, _ = rms_norm_backward(1.5, residuals, jnp.array([[1.0, 2], [0, 0]]))
    np.testing.assert_array_equal(dx, [[1.5, 0], [0, 0]])  # 1/2 (4 - 2/2, 2 - 2)


def test_the_jacobian_of_x_hat_is_rms_7():
    x_hat, residuals = rms_norm_forward(normal(0, 4), jnp.ones(4), 0.25)
    rows = [rms_norm_backward(0.25, residuals, row)[0] for row in jnp.eye(4)]
    expected = residuals.rrms[0] * (np.eye(4) - np.outer(x_hat, x_hat) / 4)
    assert_close(jnp.stack(rows), expected, 4)


def test_of_rows_with_mean_0_it_is_layer_norm_whose_dx_lacks_the_mean_of_dx_hat():
    x, scale, dz = normal(0, 3, 6), normal(1, 6), normal(2, 3, 6)
    x = x - x.mean(1, keepdims=True)
    z, residuals = rms_norm_forward(x, scale, 0.25)
    layer_z, layer_residuals = layer_norm_forward(x, scale, jnp.zeros(6), 0.25)
    assert_close(z, layer_z, 6)
    dx, dscale = rms_norm_backward(0.25, residuals, dz)
    layer_dx, layer_dscale, _ = layer_norm_backward(0.25, layer_residuals, dz)
    assert_close(dscale, layer_dscale, 6)
    assert_close(dx - dx.mean(1, keepdims=True), layer_dx, 6)
    assert np.abs(dx.mean(1)).min() > 0.01


def test_z_does_not_depend_on_the_size_of_a_row_but_on_its_mean():
    x, scale = normal(0, 3, 6), normal(1, 6)
    z = rms_norm(x, scale, 1e-12)
    assert_close(rms_norm(x * jnp.array([[2.0], [0.5], [7]]), scale, 1e-12), z, 6)
    assert np.abs(rms_norm(x + 1, scale, 1e-12) - z).max() > 0.1


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_row_of_zeros_stays_0_and_its_dx_is_dx_hat_over_the_root_of_eps(dtype):
    x, scale, dz = (jnp.array(v, dtype) for v in ([[0.0, -0.0]], [3.0, -2], [[5.0, 7]]))
    z, residuals = rms_norm_forward(x, scale, 0.25)
    dx, dscale = rms_norm_backward(0.25, residuals, dz)
    assert z.dtype == dx.dtype == dscale.dtype == dtype
    np.testing.assert_array_equal(z.astype("float64"), [[0, 0]])
    np.testing.assert_array_equal(dx.astype("float64"), [[30, -28]])
    np.testing.assert_array_equal(dscale.astype("float64"), [0, 0])


def test_squares_beyond_float16_do_not_overflow():
    x = jnp.array([[60000.0, -60000.0]], "float16")
    assert_same_bits(rms_norm(x, jnp.ones(2, "float16")), jnp.array([[1.0, -1]], "float16"))


def test_the_residuals_are_x_one_number_per_row_and_scale():
    kept = [("float64", (2, 3, 5)), ("float64", (5,)), ("float64", (6,))]
    assert kept_residuals(rms_norm, normal(0, 2, 3, 5), normal(1, 5)) == kept


@pytest.mark.parametrize(
    ("x", "scale", "eps", "message"),
    [
        ((), (1,), 1e-5, r"x must be of shape \(..., C\), got \(\)"),
        ((4, 3), (4,), 1e-5, r"scale must be of shape \(3,\), got \(4,\)"),
        ((4, 0), (0,), 1e-5, "x must be of rows with at least one entry"),
        ((4, 3), (3,), 0, "eps must be a finite number above 0 in float64, got 0"),
    ],
)
def test_arguments_that_do_not_match_are_rejected(x, scale, eps, message):
    with pytest.raises(ValueError, match="rms_norm: " + message):
        rms_norm(jnp.ones(x), jnp.ones(scale), eps)
