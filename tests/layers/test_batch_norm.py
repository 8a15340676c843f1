import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import BATCH_NORM, BATCH_NORM_INFERENCE
from ffnn_jax.layers import (
    batch_norm,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_inference_backward,
    batch_norm_inference_forward,
)
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)

NAN, INF = float("nan"), float("inf")
NARROW = ["float32", "bfloat16", "float16"]


def drawn(*shape: int) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """Random (x, scale, shift), and cotangents of (z, mean, variance)."""
    c = shape[-1]
    arguments = normal(0, *shape) * 3 + 2, normal(1, c), normal(2, c)
    return arguments, (normal(3, *shape), normal(4, c), normal(5, c))


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (norm.9), (norm.10), (norm.1)-(norm.3) gives (norm.15), (norm.14), (norm.5)."""
    assert_verified(BATCH_NORM)


@pytest.mark.slow
def test_all_catalogue_checks_pass_for_given_statistics():
    """Autodiff of (norm.1)-(norm.3) gives (norm.4)-(norm.8)."""
    assert_verified(BATCH_NORM_INFERENCE)


def test_given_statistics_norm_1_to_8_worked_by_hand():
    """(norm.1)-(norm.8): rstd is 2 and x^ is 4 and -2."""
    x, mean, variance = jnp.array([[3.0], [0.0]]), jnp.array([1.0]), jnp.array([0.0])
    scale, shift = jnp.array([5.0]), jnp.array([1.0])
    z, residuals = batch_norm_inference_forward(x, mean, variance, scale, shift, 0.25)
    np.testing.assert_array_equal(z, [[21], [-9]])
    cotangents = batch_norm_inference_backward(0.25, residuals, jnp.array([[1.0], [3.0]]))
    dx, dmean, dvariance, dscale, dshift = cotangents
    np.testing.assert_array_equal(dx, [[10], [30]])
    assert (dmean, dvariance, dscale, dshift) == (-40, 20, -2, 4)


def test_the_batch_s_own_statistics_norm_9_10_14_15_worked_by_hand():
    """Mean 2, variance 1, rstd 1/2, x^ -1/2 and 1/2; dz minus its mean is -2 and 2."""
    x, scale, shift = jnp.array([[1.0], [3.0]]), jnp.array([4.0]), jnp.array([10.0])
    (z, mean, variance), residuals = batch_norm_forward(x, scale, shift, 3)
    np.testing.assert_array_equal(z, [[8], [12]])
    assert (mean, variance) == (2, 1)
    cotangents = jnp.array([[1.0], [5.0]]), jnp.array([2.0]), jnp.array([5.0])
    dx, dscale, dshift = batch_norm_backward(3, residuals, cotangents)
    np.testing.assert_array_equal(dx, [[-7], [9]])  # 2 (-3/2, 3/2) + (2 + 2 (-1, 1) 5) / 2
    assert (dscale, dshift) == (2, 6)


def test_jacobians_of_the_statistics_are_norm_11():
    (x, scale, shift), _ = drawn(5, 2)
    _, by_mean, by_variance = jax.jit(jax.jacrev(batch_norm))(x, scale, shift)
    same_channel = jnp.eye(2)[:, None, :]
    assert_close(by_mean, jnp.broadcast_to(same_channel / 5, (2, 5, 2)))
    centred = (x - x.mean(0, keepdims=True))[None]
    assert_close(by_variance, same_channel * 2 * centred / 5, 5)


def test_dx_is_the_sum_norm_12_over_the_three_paths_to_the_loss():
    """Through z with the statistics held constant, through the mean and through the variance."""
    (x, scale, shift), (dz, dmean, dvariance) = drawn(7, 3)
    _, mean, variance = batch_norm(x, scale, shift)
    _, through_z = value_and_cotangents(batch_norm_inference, (x, mean, variance, scale, shift), dz)
    dx, to_mean, to_variance, *_ = through_z
    d_mean, d_variance = dmean + to_mean, dvariance + to_variance
    from_statistics = d_mean[None] + 2 * (x - mean[None]) * d_variance[None]
    _, (ours, _, _) = value_and_cotangents(batch_norm, (x, scale, shift), (dz, dmean, dvariance))
    assert_close(ours, dx + from_statistics / 7, 7)


def test_x_hat_sums_to_0_by_norm_13_and_z_to_the_shifts_by_norm_16():
    (x, scale, shift), _ = drawn(6, 4, 3)
    x_hat, _, _ = batch_norm(x, jnp.ones(3), jnp.zeros(3))
    assert_close(x_hat.sum((0, 1)), jnp.zeros(3), 24)
    assert_close(batch_norm(x, scale, shift)[0].sum((0, 1)), 24 * shift, 24)


def test_a_cotangent_of_ones_misses_a_wrong_rule_and_a_random_one_finds_it():
    """By (norm.16) the gradient of sum(z) is 0 by the correct rule and by a wrong one alike."""

    def without_variance_term(eps, residuals, cotangents):
        _, dscale, dshift = batch_norm_backward(eps, residuals, cotangents)
        dz, factor = cotangents[0], (residuals.scale * residuals.rstd)[None]
        return factor * (dz - dz.mean(0, keepdims=True)), dscale, dshift

    wrong = jax.custom_vjp(batch_norm.fun, nondiff_argnums=(3,))
    wrong.defvjp(batch_norm_forward, without_variance_term)
    (x, scale, shift), (dz, dmean, dvariance) = drawn(8, 3)
    zeros = jnp.zeros_like(dmean), jnp.zeros_like(dvariance)

    def dx(rule, dz):
        return value_and_cotangents(rule, (x, scale, shift), (dz, *zeros))[1][0]

    for rule in (batch_norm, wrong, BATCH_NORM.reference):
        assert_close(dx(rule, jnp.ones_like(dz)), jnp.zeros_like(x), 8)
    expected = dx(BATCH_NORM.reference, dz)
    assert_close(dx(batch_norm, dz), expected, 8)
    with pytest.raises(AssertionError):
        assert_close(dx(wrong, dz), expected, 8)


def test_dscale_by_norm_14_does_not_multiply_the_mean_s_rounding_error_by_the_sum_of_dz():
    """The relative error of (norm.6) itself is 1.5e-3 here, ours 2.6e-7."""
    x, dz = (np.random.default_rng(i).normal(size=(65536, 2)).astype("float32") for i in (0, 1))
    x, dz = jnp.asarray(x + np.float32(100)), jnp.asarray(dz + np.float32(1))
    scale, zeros = jnp.ones(2, "float32"), jnp.zeros(2, "float32")
    _, (_, dscale, _) = value_and_cotangents(batch_norm, (x, scale, zeros), (dz, zeros, zeros))
    wide = [array.astype("float64") for array in (x, scale, zeros, dz, zeros)]
    _, (_, exact, _) = value_and_cotangents(BATCH_NORM.reference, wide[:3], (*wide[3:], wide[4]))
    assert_close(dscale / 65536, exact / 65536)


def test_the_variance_is_the_biased_one_over_all_axes_but_the_last():
    (x, scale, shift), _ = drawn(3, 4, 5, 2)
    _, mean, variance = batch_norm(x, scale, shift)
    assert_close((mean, variance), (np.mean(x, (0, 1, 2)), np.var(x, (0, 1, 2))), 60)


def test_images_are_normalised_as_rows_of_pixels():
    (x, scale, shift), cotangents = drawn(3, 4, 5, 2)
    dz, *d_statistics = cotangents
    images = value_and_cotangents(batch_norm, (x, scale, shift), cotangents)
    rows = value_and_cotangents(
        batch_norm, (x.reshape(60, 2), scale, shift), (dz.reshape(60, 2), *d_statistics)
    )
    assert_close(images, jax.tree.map(lambda a, b: a.reshape(b.shape), rows, images), 60)


def test_the_batch_s_statistics_given_to_inference_lead_to_the_same_bits():
    (x, scale, shift), _ = drawn(6, 3)
    z, mean, variance = batch_norm(x, scale, shift)
    assert_same_bits(batch_norm_inference(x, mean, variance, scale, shift), z)


def test_a_row_s_output_with_given_statistics_does_not_depend_on_other_rows():
    (x, scale, shift), (_, mean, _) = drawn(6, 3)
    rest = mean, jnp.ones(3), scale, shift
    alone = [batch_norm_inference(x[n : n + 1], *rest) for n in range(6)]
    assert_same_bits(batch_norm_inference(x, *rest), jnp.concatenate(alone))


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("dtype", ["float64", *NARROW])
def test_one_row_and_a_constant_channel_have_variance_0_and_z_is_shift(dtype, rows):
    """Their dx is dz minus its mean, plus the mean's part; no intermediate is NaN."""
    x = jnp.broadcast_to(jnp.array([[96.0, -0.5]], dtype), (rows, 2))
    scale, shift = jnp.array([2.0, 3], dtype), jnp.array([5.0, -7], dtype)
    outputs = jax.eval_shape(batch_norm, x, scale, shift)
    dz, dmean, dvariance = (jnp.full(output.shape, rows, output.dtype) for output in outputs)
    cotangents = dz.at[1:].set(0), dmean, dvariance
    with jax.debug_nans(True):
        rule = functools.partial(batch_norm, eps=0.25)
        (z, _, variance), (dx, _, _) = value_and_cotangents(rule, (x, scale, shift), cotangents)
    np.testing.assert_array_equal(z.astype("float64"), [[5, -7]] * rows)
    np.testing.assert_array_equal(variance, [0, 0])
    from_z = np.array([[rows - 1.0]] + [[-1.0]] * (rows - 1)) * [[4, 6]]
    np.testing.assert_array_equal(dx.astype("float64"), from_z + 1)


def test_a_large_mean_leaves_a_small_variance_in_bfloat16():
    """Here E[x^2] - E[x]^2 in bfloat16 is -2."""
    x = jnp.tile(jnp.array([[20.0], [20.25]], jnp.bfloat16), (4, 1))
    assert jnp.mean(x * x) - jnp.mean(x) ** 2 == -2
    one = jnp.ones(1, jnp.bfloat16)
    z, mean, variance = batch_norm(x, one, one - one, 2.0**-6)
    assert (mean, variance) == (20.125, 2.0**-6)
    assert_close(z, np.tile([[-(0.5**0.5)], [0.5**0.5]], (4, 1)))


@pytest.mark.parametrize("dtype", NARROW)
def test_statistics_are_kept_in_float32_and_z_in_the_dtype_of_x(dtype):
    arguments = [array.astype(dtype) for array in drawn(6, 3)[0]]
    z, mean, variance = batch_norm(*arguments)
    assert (z.dtype, mean.dtype, variance.dtype) == (dtype, "float32", "float32")
    x, scale, shift = arguments
    assert batch_norm_inference(x, mean, variance, scale, shift).dtype == dtype


def test_the_residuals_are_x_and_three_numbers_per_channel():
    (x, scale, shift), (_, mean, _) = drawn(4, 5, 3)
    kept = [("float64", (3,)), ("float64", (3,)), ("float64", (3,)), ("float64", (4, 5, 3))]
    assert kept_residuals(batch_norm, x, scale, shift) == kept
    assert kept_residuals(batch_norm_inference, x, mean, jnp.ones(3), scale, shift) == kept


@pytest.mark.parametrize(
    ("x", "scale", "shift", "message"),
    [
        ((3,), (3,), (3,), "x must be of shape .*, rows of channels, got .3,"),
        ((4, 3), (4,), (3,), "scale must be of shape .3,., got .4,"),
        ((4, 3), (3,), (1, 3), "shift must be of shape .3,., got .1, 3"),
        ((0, 3), (3,), (3,), "x must be of at least one row, got .0, 3"),
        ((4, 0, 3), (3,), (3,), "x must be of at least one row"),
    ],
)
def test_shapes_that_do_not_match_are_rejected(x, scale, shift, message):
    with pytest.raises(ValueError, match="batch_norm: " + message):
        batch_norm(jnp.ones(x), jnp.ones(scale), jnp.ones(shift))


def test_statistics_that_do_not_match_are_rejected():
    x, c = jnp.ones((4, 3)), jnp.ones(3)
    with pytest.raises(ValueError, match=r"batch_norm_inference: mean must be of shape \(3,\)"):
        batch_norm_inference(x, jnp.ones(4), c, c, c)
    with pytest.raises(ValueError, match="variance must be of x's dtype float64, got float32"):
        batch_norm_inference(x, c, c.astype("float32"), c, c)


@pytest.mark.parametrize("eps", [0, -1e-5, NAN, INF, True, "1", 1e-50])
def test_an_eps_that_is_not_finite_and_above_0_is_rejected(eps):
    ones = jnp.ones(3, "float32")
    message = "eps must be a finite number above 0 in float32, got "
    with pytest.raises(ValueError, match="batch_norm: " + message):
        batch_norm(jnp.ones((4, 3), "float32"), ones, ones, eps)
    with pytest.raises(ValueError, match="batch_norm_inference: " + message):
        batch_norm_inference(jnp.ones((4, 3), "float32"), ones, ones, ones, ones, eps)
