"""The normalisations as layers, batch normalisation by ghosts, and standardised weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.layers import batch_norm, conv2d, dense, group_norm, weight_standardisation
from ffnn_jax.network import Network
from ffnn_jax.nn import (
    BatchNorm,
    Conv,
    Dense,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
)
from tests.tolerances import tolerance

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")
GHOSTS = BatchNorm(momentum=0.75, ghost_size=4)
PARAMS = {"scale": jnp.array([2.0, -1, 3]), "shift": jnp.array([1.0, 0, -1])}
STATE = {"mean": jnp.zeros(3), "variance": jnp.ones(3)}


def normal(seed: int, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape) + jnp.float32(seed)


def assert_close(ours: Any, theirs: Any) -> None:
    allowed = tolerance("float32", 16)
    np.testing.assert_allclose(ours, theirs, allowed, allowed)


def test_a_normalisation_is_its_operation_with_undecayed_parameters():
    network = Network((GroupNorm(3, 0.25),), (2, 2, 6))
    params, _ = network.init(jax.random.key(0))
    assert network.param_attribute("decayed")["groupnorm_1"] == {"scale": False, "shift": False}
    x, ones = normal(1, 2, 2, 2, 6), jnp.ones(6)
    z, _ = network.apply(params, {}, x)
    np.testing.assert_array_equal(z, group_norm(x, ones, ones - 1, 3, 0.25))
    assert set(RMSNorm().params((3,))) == {"scale"}
    assert set(LayerNorm().params((4, 5, 3))) == set(InstanceNorm().params((3,))) == set(PARAMS)


def test_without_a_scale_batch_norm_has_none_and_multiplies_by_1():
    layer, x = BatchNorm(scale=False), normal(0, 6, 3)
    assert set(layer.params((3,))) == {"shift"}
    params = {"shift": PARAMS["shift"]}
    with_ones = PARAMS | {"scale": jnp.ones(3)}
    for training in (False, True):
        ours = layer.apply(params, STATE, x, training=training)
        theirs = BatchNorm().apply(with_ones, STATE, x, training=training)
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_ghosts_are_normalised_apart_and_the_running_statistics_average_theirs():
    x = normal(1, 12, 2, 2, 3)
    z, after = GHOSTS.apply(PARAMS, STATE, x, training=True)
    parts = [batch_norm(x[i : i + 4], PARAMS["scale"], PARAMS["shift"]) for i in (0, 4, 8)]
    assert_close(z, np.concatenate([part for part, _, _ in parts]))
    for name, index in (("mean", 1), ("variance", 2)):
        batch = np.mean([part[index] for part in parts], axis=0)
        assert_close(after[name], 0.75 * STATE[name] + 0.25 * batch)
    whole, _ = BatchNorm().apply(PARAMS, STATE, x, training=True)
    assert np.abs(z - whole).max() > 0.1


def test_prediction_ignores_ghosts_and_takes_any_batch():
    x = normal(1, 5, 3)
    ours, theirs = (layer.apply(PARAMS, STATE, x) for layer in (GHOSTS, BatchNorm()))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_the_gradient_of_a_ghost_does_not_depend_on_another():
    x, dz = normal(1, 8, 3), normal(2, 8, 3)

    def pulled(x: jax.Array, dz: jax.Array) -> tuple[Any, Any]:
        apply = lambda p, x: GHOSTS.apply(p, STATE, x, training=True)[0]  # noqa: E731
        return jax.vjp(apply, PARAMS, x)[1](dz)

    d_params, dx = pulled(x, dz)
    _, changed = pulled(x.at[4:].multiply(3), dz.at[4:].add(1))
    np.testing.assert_array_equal(changed[:4], dx[:4])
    assert np.abs(changed[4:] - dx[4:]).max() > 0.1
    alone = [pulled(x[part], dz[part]) for part in (slice(4), slice(4, 8))]
    assert_close(dx, np.concatenate([each for _, each in alone]))
    for name in PARAMS:  # the ghosts share scale and shift
        assert_close(d_params[name], sum(each[name] for each, _ in alone))


def test_a_batch_that_ghosts_do_not_divide_is_one_line():
    with pytest.raises(UserError, match=r"^BatchNorm\(.*ghost_size=4\): ghost_size must divide "):
        jax.jit(lambda x: GHOSTS.apply(PARAMS, STATE, x, training=True))(normal(0, 6, 3))


def test_standardised_weights_pass_through_weight_standardisation_before_use():
    w, b, x = normal(1, 3, 3, 2, 4), normal(0, 4), normal(2, 2, 5, 5, 2)
    params = {"w": w, "b": b}
    expected = conv2d(x, weight_standardisation(w), b)
    np.testing.assert_array_equal(Conv(4, 3, standardised=True)(params, x), expected)
    assert np.abs(Conv(4, 3)(params, x) - expected).max() > 1
    rows, matrix = x.reshape(2, 50), normal(3, 50, 4)
    z = Dense(4, standardised=True)({"w": matrix, "b": b}, x)
    np.testing.assert_array_equal(z, dense(rows, weight_standardisation(matrix), b))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerNorm(0.0), r"LayerNorm\(eps=0.0\): eps must be above 0"),
        (lambda: GroupNorm(0), "groups must be an integer of at least 1"),
        (lambda: GroupNorm(4).output_shape((5, 5, 6)), "groups must divide the number of channels"),
        (lambda: InstanceNorm().output_shape((6,)), "needs pixels to normalise over"),
        (lambda: BatchNorm(scale=1), "scale must be True or False"),  # type: ignore
        (lambda: BatchNorm(ghost_size=0), "ghost_size must be an integer of at least 1"),
        (lambda: Dense(3, standardised=1), "standardised must be True or False"),  # type: ignore
    ],
)
def test_invalid_settings_are_rejected_with_a_message(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_parameters_of_batch_norm_are_of_group_norm_and_not_decayed():
    for params in (BatchNorm().params((3,)), BatchNorm(scale=False).params((3,))):
        assert {(p.group, p.decayed, p.trained) for p in params.values()} == {("norm", False, True)}
    assert {p.group for p in LayerNorm().params((3,)).values()} == {""}
