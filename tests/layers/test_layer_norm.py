import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import LAYER_NORM
from ffnn_jax.layers import layer_norm, layer_norm_backward, layer_norm_forward
from tests.layers.checking import (
    assert_close,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
)

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")
NAN, INF = float("nan"), float("inf")


def drawn(*shape: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Random x, scale, shift and dz."""
    return normal(0, *shape) * 3 + 2, normal(1, shape[-1]), normal(2, shape[-1]), normal(3, *shape)


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (layer.1)-(layer.5) gives (layer.10), (layer.7) and (layer.6)."""
    assert_verified(LAYER_NORM)


def test_value_and_cotangents_equal_autodiff_of_the_definition():
    ours, theirs = (functools.partial(f, eps=0.25) for f in (layer_norm, LAYER_NORM.reference))
    assert_same_rule(ours, theirs, "3x2x5", "5", "5")


def test_layer_1_to_8_and_10_worked_by_hand():
    """(layer.1)-(layer.8), (layer.10): rstd is 1/2, x^ is -1/2 and 1/2; the second row is constant.

    dx^ is 4 and 10, its mean 7 and that of dx^ x^ 3/2.
    """
    x, scale, shift = jnp.array([[1.0, 3], [5, 5]]), jnp.array([4.0, 2]), jnp.array([10.0, 0])
    z, residuals = layer_norm_forward(x, scale, shift, 3)
    np.testing.assert_array_equal(residuals.mean, [2, 5])
    np.testing.assert_array_equal(residuals.rstd[0], 0.5)
    np.testing.assert_array_equal(z, [[8, 1], [10, 0]])
    dx, dscale, dshift = layer_norm_backward(3, residuals, jnp.array([[1.0, 5], [2, 4]]))
    np.testing.assert_array_equal(dx, [[-1.125, 1.125], [0, 0]])
    np.testing.assert_array_equal(dscale, [-0.5, 2.5])
    np.testing.assert_array_equal(dshift, [3, 9])


def test_scale_out_of_the_sums_is_another_gradient():
    """The numbers above, by (norm.15): -3 and 3/2, which violate (layer.11)."""
    scale, dz, x_hat = np.array([4.0, 2]), np.array([1.0, 5]), np.array([-0.5, 0.5])
    taken_out = scale * 0.5 * (dz - dz.mean() - x_hat * (dz * x_hat).mean())
    np.testing.assert_array_equal(taken_out, [-3, 1.5])


def test_the_jacobian_of_x_hat_is_layer_9():
    x, (ones, zeros) = drawn(4)[0], (jnp.ones(4), jnp.zeros(4))
    x_hat, residuals = layer_norm_forward(x, ones, zeros, 0.25)
    rows = [layer_norm_backward(0.25, residuals, row)[0] for row in jnp.eye(4)]
    expected = np.eye(4) - 1 / 4 - np.outer(x_hat, x_hat) / 4
    assert_close(jnp.stack(rows), residuals.rstd[0] * expected, 4)


def test_dx_sums_to_0_by_layer_11_and_its_component_along_x_hat_is_layer_12():
    x, scale, shift, dz = drawn(3, 6)
    _, residuals = layer_norm_forward(x, scale, shift, 0.25)
    dx, _, _ = layer_norm_backward(0.25, residuals, dz)
    assert_close(dx.sum(1), np.zeros(3), 6)
    x_hat, rstd = (x - residuals.mean[:, None]) * residuals.rstd[:, None], residuals.rstd
    along = ((scale[None] * dz) * x_hat).sum(1)
    assert_close((dx * x_hat).sum(1), 0.25 * rstd**3 * along, 6)


def test_z_does_not_depend_on_the_mean_and_the_size_of_a_row():
    x, scale, shift, _ = drawn(3, 6)
    changed = x * jnp.array([[2.0], [0.5], [7]]) + jnp.array([[1.0], [-3], [5]])
    z, of_changed = (layer_norm(each, scale, shift, 1e-12) for each in (x, changed))
    assert_close(of_changed, z, 6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_constant_row_has_z_shift_and_dx_without_its_mean(dtype):
    x, scale, shift = (jnp.array(v, dtype) for v in ([[96.0] * 4], [1.0, 2, 3, 4], [5.0, 6, 7, 8]))
    z, residuals = layer_norm_forward(x, scale, shift, 0.25)
    dx, dscale, dshift = layer_norm_backward(0.25, residuals, jnp.array([[6.0, 3, 2, -1]], dtype))
    assert {each.dtype for each in (z, dx, dscale, dshift)} == {jnp.dtype(dtype)}
    np.testing.assert_array_equal(z.astype("float64"), [[5, 6, 7, 8]])
    np.testing.assert_array_equal(dx.astype("float64"), [[5, 5, 5, -15]])
    np.testing.assert_array_equal(dscale.astype("float64"), np.zeros(4))


def test_a_large_mean_leaves_a_small_variance_in_bfloat16():
    """Here E[x^2] - E[x]^2 in bfloat16 is -2."""
    x = jnp.tile(jnp.array([[20.0, 20.25]], jnp.bfloat16), (1, 4))
    assert jnp.mean(x * x) - jnp.mean(x) ** 2 == -2
    one = jnp.ones(8, jnp.bfloat16)
    z = layer_norm(x, one, one - one, 2.0**-6)
    assert_close(z, np.tile([[-(0.5**0.5), 0.5**0.5]], (1, 4)))


def test_the_residuals_are_x_two_numbers_per_row_and_scale():
    x, scale, shift, _ = drawn(2, 3, 5)
    rows, channels = ("float64", (6,)), ("float64", (5,))
    assert kept_residuals(layer_norm, x, scale, shift) == [
        ("float64", (2, 3, 5)),
        channels,
        rows,
        rows,
    ]


@pytest.mark.parametrize(
    ("x", "scale", "shift", "message"),
    [
        ((), (1,), (1,), r"x must be of shape \(..., C\), got \(\)"),
        ((4, 3), (4,), (3,), r"scale must be of shape \(3,\), got \(4,\)"),
        ((4, 3), (3,), (1, 3), r"shift must be of shape \(3,\), got \(1, 3\)"),
        ((4, 0), (0,), (0,), r"x must be of rows with at least one entry, got \(4, 0\)"),
    ],
)
def test_shapes_that_do_not_match_are_rejected(x, scale, shift, message):
    with pytest.raises(ValueError, match="layer_norm: " + message):
        layer_norm(jnp.ones(x), jnp.ones(scale), jnp.ones(shift))


@pytest.mark.parametrize("eps", [0, -1e-5, NAN, INF, True, "1", 1e-50])
def test_an_eps_that_is_not_finite_and_above_0_is_rejected(eps):
    ones = jnp.ones(3, "float32")
    with pytest.raises(
        ValueError, match="layer_norm: eps must be a finite number above 0 in float32"
    ):
        layer_norm(ones, ones, ones, eps)
