import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import GROUP_NORM, INSTANCE_NORM
from ffnn_jax.layers import (
    batch_norm_backward,
    batch_norm_forward,
    group_norm,
    group_norm_backward,
    group_norm_forward,
    instance_norm,
    instance_norm_backward,
    instance_norm_forward,
    layer_norm_backward,
    layer_norm_forward,
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
EPS = 0.25


def drawn(*shape: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Random x, scale, shift and dz."""
    return normal(0, *shape) * 3 + 2, normal(1, shape[-1]), normal(2, shape[-1]), normal(3, *shape)


def both_passes(x, scale, shift, dz, groups):
    """z, dx, dscale and dshift of group normalisation."""
    z, residuals = group_norm_forward(x, scale, shift, groups, EPS)
    return z, *group_norm_backward(groups, EPS, residuals, dz)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [GROUP_NORM, INSTANCE_NORM], ids=lambda spec: spec.name)
def test_all_catalogue_checks_pass(spec):
    """Autodiff of (group.1)-(group.5) gives (group.9), (group.7) and (group.6)."""
    assert_verified(spec)


def test_value_and_cotangents_equal_autodiff_of_the_definition():
    functions = group_norm, GROUP_NORM.reference
    ours, theirs = (functools.partial(f, groups=2, eps=EPS) for f in functions)
    assert_same_rule(ours, theirs, "3x5x4", "4", "4")


def test_of_instances_value_and_cotangents_equal_autodiff_of_the_definition():
    ours, theirs = (functools.partial(f, eps=EPS) for f in (instance_norm, INSTANCE_NORM.reference))
    assert_same_rule(ours, theirs, "3x5x2", "2", "2")


def test_group_1_to_9_worked_by_hand():
    """(group.1)-(group.9): two pixels of two groups of two channels; the second group is constant.

    The first group's mean is 2, its variance 1 and rstd 1/2; x^ is -1/2, 1/2 and 1/2, -1/2. dx^ is
    4, 2 and 0, 10, its mean 4 and that of dx^ x^ -3/2.
    """
    x = jnp.array([[[1.0, 3, 7, 7], [3, 1, 7, 7]]])
    scale, shift = jnp.array([4.0, 2, 1, 3]), jnp.array([10.0, 0, 5, 6])
    dz = jnp.array([[[1.0, 1, 2, 0], [0, 5, 4, 2]]])
    z, residuals = group_norm_forward(x, scale, shift, 2, 3)
    np.testing.assert_array_equal(residuals.mean, [[2, 7]])
    assert residuals.rstd[0, 0] == 0.5
    np.testing.assert_array_equal(z, [[[8, 1, 5, 6], [12, -1, 5, 6]]])
    dx, dscale, dshift = group_norm_backward(2, 3, residuals, dz)
    np.testing.assert_array_equal(dx[0, :, :2], [[-0.375, -0.625], [-1.625, 2.625]])
    assert_close(dx[0, :, 2:] * 3**0.5, np.array([[-1.0, -3], [1, 3]]))
    np.testing.assert_array_equal(dscale, [-0.5, -2, 0, 0])
    np.testing.assert_array_equal(dshift, [1, 6, 6, 2])


def test_with_one_pixel_and_one_group_it_is_layer_norm():
    x, scale, shift, dz = drawn(3, 1, 1, 6)
    _, residuals = layer_norm_forward(x, scale, shift, EPS)
    theirs = layer_norm_forward(x, scale, shift, EPS)[0], *layer_norm_backward(EPS, residuals, dz)
    assert_close(both_passes(x, scale, shift, dz, 1), theirs, 6)


def test_with_one_group_it_is_layer_norm_of_whole_images_with_a_scale_for_each_channel():
    x, scale, shift, dz = drawn(3, 2, 2, 3)
    flat_x, flat_dz = (each.reshape(3, 12) for each in (x, dz))
    z, residuals = layer_norm_forward(flat_x, jnp.tile(scale, 4), jnp.tile(shift, 4), EPS)
    dx, *d_parameters = layer_norm_backward(EPS, residuals, flat_dz)
    summed = (d.reshape(4, 3).sum(0) for d in d_parameters)
    theirs = z.reshape(x.shape), dx.reshape(x.shape), *summed
    assert_close(both_passes(x, scale, shift, dz, 1), theirs, 12)


def test_with_as_many_groups_as_channels_it_is_instance_norm():
    x, scale, shift, dz = drawn(3, 4, 2)
    z, residuals = instance_norm_forward(x, scale, shift, EPS)
    theirs = z, *instance_norm_backward(EPS, residuals, dz)
    assert_same_bits(both_passes(x, scale, shift, dz, 2), theirs)


def test_instance_norm_of_one_image_is_batch_norm_of_it():
    x, scale, shift, dz = drawn(1, 5, 3)
    z, residuals = instance_norm_forward(x, scale, shift, EPS)
    (batch_z, mean, _), kept = batch_norm_forward(x, scale, shift, EPS)
    theirs = batch_norm_backward(EPS, kept, (dz, 0 * mean, 0 * mean))
    assert_close((z, *instance_norm_backward(EPS, residuals, dz)), (batch_z, *theirs), 5)


def test_of_one_channel_scale_is_taken_out_of_the_sums_by_group_10():
    x, scale, _, dz = drawn(2, 5, 3)
    x_hat, residuals = instance_norm_forward(x, jnp.ones(3), jnp.zeros(3), EPS)
    means = (jnp.mean(each, 1, keepdims=True) for each in (dz, dz * x_hat))
    left = dz - next(means) - x_hat * next(means)
    dx, _, _ = instance_norm_backward(EPS, residuals._replace(scale=scale), dz)
    assert_close(dx, scale[None, None] * residuals.rstd[:, None] * left, 5)


def test_neighbouring_channels_form_a_group():
    """Multiplying channels 0 and 1 changes their own z alone."""
    x, scale, shift, _ = drawn(2, 3, 6)
    z, changed = (
        group_norm(each, scale, shift, 3) for each in (x, x.at[..., :2].multiply(x[..., :2]))
    )
    np.testing.assert_array_equal(changed[..., 2:], z[..., 2:])
    assert np.abs(changed[..., :2] - z[..., :2]).min() > 0


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_constant_group_has_z_shift_and_a_single_pixel_of_instances_dx_0(dtype):
    x, scale, shift = (jnp.array(v, dtype) for v in ([[96.0, 96, -3]], [1.0, 2, 3], [5.0, 6, 7]))
    dz = jnp.array([[6.0, 5, 9]], dtype)
    z, residuals = instance_norm_forward(x, scale, shift, EPS)
    dx, dscale, dshift = instance_norm_backward(EPS, residuals, dz)
    np.testing.assert_array_equal(z.astype("float64"), [[5, 6, 7]])
    for d, expected in ((dx, [[0, 0, 0]]), (dscale, [0, 0, 0]), (dshift, [6, 5, 9])):
        assert d.dtype == dtype
        np.testing.assert_array_equal(d.astype("float64"), expected)
    z, dx, *_ = both_passes(x[:, :2], scale[:2], shift[:2], dz[:, :2], 1)
    np.testing.assert_array_equal(z.astype("float64"), [[5, 6]])
    np.testing.assert_array_equal(dx.astype("float64"), [[-4, 4]])


def test_the_residuals_are_x_two_numbers_per_group_and_scale():
    x, scale, shift, _ = drawn(2, 5, 6)
    kept = kept_residuals(functools.partial(group_norm, groups=3), x, scale, shift)
    assert kept == [("float64", shape) for shape in ((2, 3), (2, 3), (2, 5, 6), (6,))]


@pytest.mark.parametrize("groups", [0, -1, 4, 7, 2.0, True, "2", None])
def test_groups_that_do_not_divide_the_channels_are_rejected(groups):
    message = "group_norm: groups must be an integer that divides the 6 channels of x, got "
    with pytest.raises(ValueError, match=message):
        group_norm(jnp.ones((2, 3, 6)), jnp.ones(6), jnp.ones(6), groups)


@pytest.mark.parametrize(
    ("x", "scale", "message"),
    [
        ((4,), (4,), "x must be of shape .*, rows of channels, got .4,"),
        ((2, 4), (3,), r"scale must be of shape \(4,\), got \(3,\)"),
        ((2, 0, 4), (4,), r"x must be of images with at least one entry, got \(2, 0, 4\)"),
    ],
)
def test_shapes_that_do_not_match_are_rejected(x, scale, message):
    for op in (instance_norm, functools.partial(group_norm, groups=2)):
        with pytest.raises(ValueError, match="(group|instance)_norm: " + message):
            op(jnp.ones(x), jnp.ones(scale), jnp.ones(x[-1:]))
