"""The contract of every layer of the package, and the semantics of nesting, state and keys."""

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax import nn
from ffnn_jax.config import UserError, layers_from_json, layers_to_json
from ffnn_jax.layers import batch_norm, dense, relu, softmax_cross_entropy
from ffnn_jax.network import Network
from ffnn_jax.nn import (
    ELU,
    LAYERS,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    Conv1D,
    ConvTranspose,
    Dense,
    Dropout,
    GlobalAvgPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LeakyReLU,
    MaxPool,
    Pad,
    ReLU,
    Residual,
    Scale,
    Sequential,
    Upsample,
)
from tests.tolerances import tolerance

BODY = (Dense(5), BatchNorm(), ReLU(), Dropout(0.25))
SETTINGS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "AdaptiveAvgPool": (AdaptiveAvgPool((3, 2)), (4, 5, 3)),
    "AvgPool": (AvgPool(3, 2, 1, False), (4, 5, 3)),
    "BatchNorm": (BatchNorm(0.8, 1e-3), (4, 5, 3)),
    "Conv": (Conv(2, 3, bias=False), (4, 5, 3)),
    "Conv1D": (Conv1D(6, 3, 1, 2, 1, 3), (7, 3)),
    "ConvTranspose": (ConvTranspose(2, 4, 2), (4, 5, 3)),
    "Dense": (Dense(7, flatten=False), (6, 3)),
    "Dropout": (Dropout(0.3), (4, 5)),
    "GlobalAvgPool": (GlobalAvgPool(), (4, 5, 3)),
    "ELU": (ELU(0.5), (4,)),
    "GroupNorm": (GroupNorm(3, 1e-3), (4, 5, 6)),
    "InstanceNorm": (InstanceNorm(1e-3), (4, 5, 3)),
    "LeakyReLU": (LeakyReLU(0.2), (4,)),
    "MaxPool": (MaxPool(3, 2, "SAME"), (4, 5, 3)),
    "Pad": (Pad(((1, 0), (2, 3)), 0.5), (4, 5, 3)),
    "Residual": (Residual(BODY, (Dense(5, bias=False),)), (4,)),
    "Scale": (Scale(0.5, per_channel=True), (4, 3)),
    "Sequential": (Sequential((Conv(2, 3), ReLU(), Sequential((Dense(3),)))), (4, 5, 3)),
    "Upsample": (Upsample(2, "bilinear"), (4, 5, 3)),
}
EXAMPLES: dict[str, tuple[Layer, tuple[int, ...]]] = {
    name: SETTINGS[name] if name in SETTINGS else (kind(), (4,)) for name, kind in LAYERS.items()
}
BY_DEFAULT = {"BatchNorm", "Conv", "Dropout", "Residual"}
each_layer = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in BY_DEFAULT else pytest.mark.slow) for name in LAYERS],
)


def initialised(layer: Layer, shape: tuple[int, ...], seed: int = 0) -> tuple[Any, Any, Any]:
    """Initial parameters, state and a batch of 6 for one layer."""
    network = Network((layer,), shape)
    params, state = network.init(jax.random.key(seed))
    x = jax.random.normal(jax.random.key(seed + 1), (6, *shape), jnp.float32)
    (name,) = network.layer_names
    return params.get(name, {}), state.get(name, {}), x


def test_importing_the_layers_does_not_import_jax():
    code = "import sys, ffnn_jax.nn; print([m for m in ('jax', 'numpy') if m in sys.modules])"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


@each_layer
@pytest.mark.parametrize("training", [False, True])
def test_a_layer_returns_its_declared_shape_and_keeps_the_state_s_structure(name, training):
    layer, shape = EXAMPLES[name]
    params, state, x = initialised(layer, shape)
    key = nn.image_keys(jax.random.key(2), 6)
    z, after = layer.apply(params, state, x, training=training, key=key)
    assert z.shape == (6, *layer.output_shape(shape))
    assert z.dtype == x.dtype
    before, updated = jax.tree.map(lambda a: (a.shape, a.dtype), (state, after))
    assert before == updated
    if not training:
        jax.tree.map(np.testing.assert_array_equal, state, after)


@each_layer
def test_in_prediction_an_output_does_not_depend_on_other_images(name):
    layer, shape = EXAMPLES[name]
    params, state, x = initialised(layer, shape)
    together, _ = layer.apply(params, state, x)
    alone, _ = layer.apply(params, state, x[:1])
    allowed = tolerance("float32", 100)
    np.testing.assert_allclose(alone, together[:1], allowed, allowed)


@each_layer
def test_mixes_batch_is_declared_correctly(name):
    layer, shape = EXAMPLES[name]
    params, state, x = initialised(layer, shape)
    key = nn.image_keys(jax.random.key(2), 6)
    together, _ = layer.apply(params, state, x, training=True, key=key)
    fewer, _ = layer.apply(params, state, x[:4], training=True, key=key[:4])
    difference = np.abs(np.asarray(together[:4] - fewer)).max()
    assert (difference > 0.01) == nn.mixes_batch([layer])


@each_layer
def test_needs_key_is_declared_correctly(name):
    layer, shape = EXAMPLES[name]
    params, state, x = initialised(layer, shape)
    outputs = [
        layer.apply(params, state, x, training=True, key=nn.image_keys(jax.random.key(k), 6))[0]
        for k in (2, 3)
    ]
    assert np.array_equal(*outputs) != nn.needs_key([layer])


@each_layer
def test_a_network_trains_under_debug_nans(name):
    layer, shape = EXAMPLES[name]
    network = Network((layer, Dense(3)), shape)
    params, state = network.init(jax.random.key(0))
    x, key = jax.random.normal(jax.random.key(1), (6, *shape)), jax.random.key(2)

    def loss(params: Any) -> jax.Array:
        logits, _ = network.apply(params, state, x, training=True, key=key)
        return softmax_cross_entropy(logits, jnp.arange(6) % 3)

    with jax.debug_nans(True), jax.debug_infs(True):
        jax.jit(jax.grad(loss))(params)


@each_layer
def test_a_layer_survives_json_and_prints_as_its_constructor_call(name):
    layer, _ = EXAMPLES[name]
    assert layers_from_json(layers_to_json([layer])) == (layer,)
    assert eval(str(layer), dict(LAYERS)) == layer


def test_a_residual_block_is_the_sum_of_its_branches():
    layer = Residual((Dense(4), BatchNorm(), ReLU()), (Dense(4, bias=False),))
    params, state, x = initialised(layer, (4,))
    z, after = layer.apply(params, state, x, training=True)
    body, shortcut = params["body"], params["shortcut"]
    hidden = dense(x, body["dense_1"]["w"], body["dense_1"]["b"])
    norm = body["batchnorm_2"]
    normalised, mean, _ = batch_norm(hidden, norm["scale"], norm["shift"], 1e-5)
    projected = dense(x, shortcut["dense_1"]["w"], jnp.zeros(4))
    allowed = tolerance("float32", 4)
    np.testing.assert_allclose(z, projected + relu(normalised), allowed, allowed)
    updated = after["body"]["batchnorm_2"]["mean"]
    np.testing.assert_allclose(updated, 0.1 * mean, allowed, allowed)


def test_a_shortcut_without_layers_is_the_identity():
    layer = Residual((Dense(4),))
    params, state, x = initialised(layer, (4,))
    zero = jax.tree.map(jnp.zeros_like, params)
    np.testing.assert_array_equal(layer.apply(zero, state, x)[0], x)


def test_layers_in_a_chain_and_in_branches_draw_differently():
    """Two dropouts of one image, in sequence and in parallel."""
    x = jnp.ones((1, 1000))
    both = Residual((Dropout(0.5),), (Dropout(0.5),))
    z, _ = both.apply({}, {}, x, training=True, key=nn.image_keys(jax.random.key(0), 1))
    assert set(np.unique(z)) == {0.0, 2.0, 4.0}
    twice = Sequential((Dropout(0.5), Dropout(0.5)))
    z, _ = twice.apply({}, {}, x, training=True, key=nn.image_keys(jax.random.key(0), 1))
    assert 0.15 < np.mean(np.asarray(z) > 0) < 0.35


def test_a_mask_does_not_depend_on_how_the_batch_is_split():
    layer, x = Dropout(0.5), jnp.ones((6, 50))
    keys = nn.image_keys(jax.random.key(0), 6)
    whole, _ = layer.apply({}, {}, x, training=True, key=keys)
    for size in (1, 2, 3):
        parts = [
            layer.apply({}, {}, x[i : i + size], training=True, key=keys[i : i + size])[0]
            for i in range(0, 6, size)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len({row.tobytes() for row in np.asarray(whole)}) == 6


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_rates_0_and_1_keep_everything_and_nothing(rate, expected):
    z, _ = Dropout(rate).apply({}, {}, jnp.ones((2, 9)), training=True, key=jax.random.key(0))
    np.testing.assert_array_equal(z, np.full((2, 9), expected))


def test_dropout_keeps_the_mean_and_needs_a_key():
    x = jnp.ones((100, 400))
    z, _ = Dropout(0.25).apply({}, {}, x, training=True, key=jax.random.key(0))
    assert np.mean(z) == pytest.approx(1, abs=0.02)
    with pytest.raises(ValueError, match=r"Dropout\(rate=0.25\): training needs a key"):
        Dropout(0.25).apply({}, {}, x, training=True)


def test_old_style_keys_are_accepted():
    keys = [nn.image_keys(key, 3) for key in (jax.random.key(5), jax.random.PRNGKey(5))]
    new, old = map(jax.random.key_data, keys)
    np.testing.assert_array_equal(new, old)


def test_no_gradient_flows_through_the_state():
    layer = BatchNorm()
    params, state, x = initialised(layer, (3,))

    def sum_of_state(x):
        _, after = layer.apply(params, state, x, training=True)
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(after))

    np.testing.assert_array_equal(jax.grad(sum_of_state)(x), jnp.zeros_like(x))


def test_the_running_variance_averages_biased_variances():
    layer = BatchNorm(momentum=0.75)
    params, state, x = initialised(layer, (3,))
    _, after = layer.apply(params, state, x, training=True)
    biased = np.asarray(x, np.float64).var(axis=0)
    np.testing.assert_allclose(after["variance"], 0.75 + 0.25 * biased, rtol=1e-6)


def test_weight_decay_excludes_batch_norm_scale_and_shift():
    decayed = Network((Dense(3), BatchNorm()), (2,)).param_attribute("decayed")
    assert decayed == {
        "dense_1": {"w": True, "b": True},
        "batchnorm_2": {"scale": False, "shift": False},
    }


def test_a_layer_without_bias_has_no_bias_and_adds_none():
    for layer, shape in ((Conv(2, 3, bias=False), (4, 4, 1)), (Dense(2, bias=False), (3,))):
        params, state, x = initialised(layer, shape)
        assert set(params) == {"w"}
        np.testing.assert_array_equal(layer.apply(params, state, 0 * x)[0].max(), 0)


def test_projecting_all_tokens_equals_projecting_each_alone():
    layer = Dense(5, flatten=False)
    params, state, x = initialised(layer, (7, 3))
    z, _ = layer.apply(params, state, x)
    assert params["w"].shape == (3, 5)
    each = [dense(x[:, t], params["w"], params["b"]) for t in range(7)]
    allowed = tolerance("float32", 3)
    np.testing.assert_allclose(z, np.stack(each, axis=1), allowed, allowed)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchNorm(momentum=1.0), "momentum must be a number of at least 0 and below 1"),
        (lambda: BatchNorm(momentum=-0.1), "momentum must be a number of at least 0 and below 1"),
        (lambda: BatchNorm(eps=0.0), "eps must be above 0"),
        (lambda: Dropout(1.1), "rate must be a number from 0 to 1"),
        (lambda: Dense(3, flatten=False).output_shape(()), "needs an input with an axis to proj"),
        (lambda: Residual(()), "body must be a tuple of at least one layer"),
        (lambda: Residual(Dense(3)), "body must be a tuple of at least one layer"),  # type: ignore
        (lambda: Sequential((3,)), "layers must be a tuple of at least one layer"),  # type: ignore
        (lambda: Dense(3, bias=1), "bias must be True or False"),  # type: ignore
        (
            lambda: Network((Residual((Dense(3),)),), (4,)),
            r"layer 1, Residual\(body=\(Dense\(units=3\),\)\): the body's output shape is \(3,\)",
        ),
        (
            lambda: Network((Sequential((ReLU(), MaxPool())),), (4,)),
            r"layer 1, layer 2, MaxPool\(\): needs an image",
        ),
    ],
)
def test_invalid_layers_are_rejected_with_a_message(make, message):
    with pytest.raises(UserError, match=message):
        make()
