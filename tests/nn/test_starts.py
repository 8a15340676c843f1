"""How convolutions start, and a scaling that is not trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import UserError, layers_from_json, layers_to_json
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv, Conv1D, Dense, Dirac, Normal, Scale
from tests.tolerances import tolerance

SHAPE = 5, 4, 3


def normal(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_a_dirac_convolution_hands_its_input_on_and_draws_the_other_outputs():
    network = Network((Conv(8, 3, start="dirac", bias=False, init_scale=0.5),), SHAPE)
    params, _ = network.init(jax.random.key(0))
    x = normal(2, *SHAPE)
    z, _ = network.apply(params, {}, x)
    np.testing.assert_array_equal(z[..., :3], x)
    usual, _ = Network((Conv(8, 3, bias=False, init_scale=0.5),), SHAPE).init(jax.random.key(0))
    drawn = params["conv_1"]["w"][..., 3:]
    np.testing.assert_array_equal(drawn, usual["conv_1"]["w"][..., 3:])
    assert drawn.std() == pytest.approx(0.5 / np.sqrt(27 / 2), rel=0.3)


def test_a_dirac_convolution_with_fewer_outputs_hands_on_the_first_channels():
    network = Network((Conv(2, 3, start="dirac"),), SHAPE)
    x = normal(2, *SHAPE)
    z, _ = network.apply(network.init(jax.random.key(0))[0], {}, x)
    np.testing.assert_array_equal(z, x[..., :2])
    sequence = Network((Conv1D(3, 3, start="dirac"),), (5, 3))
    params, _ = sequence.init(jax.random.key(0))
    np.testing.assert_array_equal(sequence.apply(params, {}, x[:, :, 0])[0], x[:, :, 0])


def test_a_dirac_kernel_is_trained_and_decayed_like_any_other():
    usual, dirac = (Conv(8, 3, start=start).params(SHAPE) for start in ("normal", "dirac"))
    assert isinstance(usual["w"].init, Normal)
    assert dirac["w"].init == Dirac(usual["w"].init.stddev)
    assert dirac["b"] == usual["b"]
    for name in ("shape", "trained", "decayed", "group"):
        assert getattr(dirac["w"], name) == getattr(usual["w"], name)


@pytest.mark.parametrize("bad", ["Dirac", "", None, 1])
def test_an_unknown_start_is_rejected(bad):
    with pytest.raises(UserError, match='start must be "normal", "dirac" or "whitening"'):
        Conv(3, 3, start=bad)


def test_a_fixed_scaling_multiplies_and_is_no_trained_parameter():
    network = Network((Dense(2), Scale(1 / 9, trained=False)), (3,))
    params, _ = network.init(jax.random.key(0))
    assert network.param_attribute("trained")["scale_2"] == {"factor": False}
    assert Network((Scale(),), (3,)).param_attribute("trained")["scale_1"] == {"factor": True}
    x = normal(4, 3)
    expected = x @ params["dense_1"]["w"] / 9
    allowed = tolerance("float32", 3)
    np.testing.assert_allclose(network.apply(params, {}, x)[0], expected, allowed, allowed)


def test_they_survive_a_json_round_trip():
    layers = (
        Conv(24, 2, padding="VALID", start="whitening"), Conv(8, 3, start="dirac"),
        Scale(0.5, trained=False), Dense(2),
    )  # fmt: skip
    assert layers_from_json(layers_to_json(layers)) == layers
