"""Layer state and keys through the training step, several seeds and micro-batches."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax import nn
from ffnn_jax.config import preset
from ffnn_jax.layers import dense, softmax_cross_entropy
from ffnn_jax.network import Network, normalise, partition
from ffnn_jax.nn import (
    BatchNorm,
    Constant,
    Dense,
    Dropout,
    FromImages,
    Layer,
    Param,
    ReLU,
    Residual,
)
from ffnn_jax.optim import momentum, scale_by_group
from ffnn_jax.runs._compute import optimizer_of
from ffnn_jax.training import (
    HostImages,
    Sampling,
    SeedData,
    TrainState,
    _gradients,
    _trainer,
    initial_state,
    loss_and_gradients,
    make_loss,
    make_train_chunk,
    train,
)
from ffnn_jax.training._images import Images
from ffnn_jax.training._sampling import batch_indices
from tests.tolerances import tolerance
from tests.training.conftest import make_seed_data

RESIDUAL = Residual((Dense(12), BatchNorm(), ReLU(), Dropout(0.2)))
LAYERS = (Dense(12), BatchNorm(), ReLU(), RESIDUAL, Dense(4))
NETWORK = Network(LAYERS, (8, 8, 1))
RULE = momentum(0.05, 0.9, 0.005)
SETTINGS = dataclasses.replace(
    preset("quickstart"), layers=LAYERS, steps=20, batch_size=8, seed=5, validation_interval=10
)


def run(images: Any, layers: tuple[Layer, ...] = LAYERS, **changes: Any):
    settings = dataclasses.replace(SETTINGS, layers=layers, **changes)
    seeds_data = [make_seed_data(images, settings.seed + k) for k in range(settings.seeds)]
    network = Network(layers, images.pixels.shape[1:])
    rule = optimizer_of(settings, network)
    return train(network, rule, settings, HostImages((images,)), seeds_data)


def test_running_statistics_match_a_recomputation_in_float64(images):
    """Of the first layer's outputs, batch by batch, with the weights of each step."""
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    chunk = make_train_chunk(NETWORK, RULE, 8)
    state = initial_state(NETWORK, RULE, seed_data.key)
    mean, variance = np.zeros(12), np.ones(12)
    for step in range(20):
        w, b = (np.asarray(state.params["dense_1"][name], np.float64) for name in ("w", "b"))
        z = batch_at(images, seed_data, step).reshape(8, 64) @ w + b
        mean = 0.9 * mean + 0.1 * z.mean(axis=0)
        variance = 0.9 * variance + 0.1 * z.var(axis=0)
        state, _ = chunk(state, np.int32(step + 1), images, seed_data)
    actual = state.state["batchnorm_2"]
    np.testing.assert_allclose(actual["mean"], mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(actual["variance"], variance, rtol=1e-5, atol=1e-5)


def images_at(images: Images, seed_data: SeedData, step: int) -> Images:
    """The images of a step's batch."""
    return images.at(batch_indices(seed_data, jnp.int32(step), Sampling(8)))


def batch_at(images: Images, seed_data: SeedData, step: int) -> np.ndarray:
    """The inputs of a step in float64."""
    pixels = images_at(images, seed_data, step).pixels
    return np.asarray(normalise(pixels, seed_data.normalisation), np.float64)


def test_four_seeds_in_one_program_match_each_seed_alone(images, monkeypatch):
    monkeypatch.setattr(_trainer, "is_one_program", lambda network, settings: False)
    alone = run(images, seeds=4)
    monkeypatch.setattr(_trainer, "is_one_program", lambda network, settings: True)
    together = run(images, seeds=4)
    for ours, theirs in zip(
        jax.tree.leaves((together.params, together.state)),
        jax.tree.leaves((alone.params, alone.state)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    first, second = (one["batchnorm_2"]["mean"] for one in together.state[:2])
    assert not np.allclose(first, second)


@pytest.mark.cpu
def test_a_seed_has_the_same_bits_alone_and_among_others(images):
    together, alone = run(images, seeds=2), run(images, seed=6)
    jax.tree.map(np.testing.assert_array_equal, together.params[1], alone.params[0])
    jax.tree.map(np.testing.assert_array_equal, together.state[1], alone.state[0])


def loss_of_batch(network: Network, size: int, monkeypatch: pytest.MonkeyPatch, part: int):
    """Loss, state and gradients of one batch, with micro-batches of ``part`` if allowed."""
    monkeypatch.setattr(_gradients, "_micro_batch_size", lambda images: part)
    params, state = network.init(jax.random.key(0))
    trained, frozen = partition(params, network.param_attribute("trained"))
    x = jax.random.normal(jax.random.key(1), (size, *network.input_shape))
    batch = x, jnp.arange(size) % 4, nn.image_keys(jax.random.key(2), size)

    @jax.jit
    def compute(trained, state, batch):
        return loss_and_gradients(
            make_loss(network, "float32"),
            trained,
            frozen,
            state,
            batch,
            network.allows_micro_batches,
        )

    return compute(trained, state, batch), compute.lower(trained, state, batch).as_text()


def test_a_batch_that_a_layer_mixes_is_not_split(monkeypatch):
    whole, _ = loss_of_batch(NETWORK, 32, monkeypatch, 32)
    actual, text = loss_of_batch(NETWORK, 32, monkeypatch, 16)
    jax.tree.map(np.testing.assert_array_equal, whole, actual)
    assert "tensor<16x12xf32>" not in text


@dataclasses.dataclass(frozen=True)
class Wrapped(Layer):
    """A custom layer around other layers."""

    inner: tuple[Layer, ...]

    def parts(self):
        return {"inner": self.inner}

    def output_shape(self, shape):
        return nn.shapes_through(self.inner, shape)[-1]

    def params(self, shape):
        return nn.params_of(self.inner, shape)

    def state(self, shape):
        return nn.state_of(self.inner, shape)

    def apply(self, params, state, x, *, training=False, key=None):
        return nn.apply(self.inner, params, state, x, training=training, key=key)


def test_batch_mixing_and_randomness_inside_a_custom_layer_are_detected():
    network = Network((Wrapped((Dense(3), BatchNorm())), Dense(4)), (5,))
    assert not network.allows_micro_batches
    assert not network.needs_key
    network = Network((Wrapped((Wrapped((Dropout(0.5),)), Dense(3))), Dense(4)), (5,))
    assert network.allows_micro_batches
    assert network.needs_key
    params, state = network.init(jax.random.key(0))
    z, _ = network.apply(params, state, jnp.ones((2, 5)), training=True, key=jax.random.key(1))
    assert z.shape == (2, 4)


def test_a_batch_that_changes_state_is_not_split(images):
    """The state counts calls of ``apply``: one per step, whatever the batch size."""
    counts = [
        run(images, (Counting(), Dense(4)), steps=4, batch_size=size).state[0]["counting_1"][
            "calls"
        ]
        for size in (8, 32)
    ]
    assert counts == [4, 4]


@dataclasses.dataclass(frozen=True)
class Counting(Layer):
    """A custom layer that counts its calls in training."""

    def state(self, shape):
        return {"calls": Param(())}

    def apply(self, params, state, x, *, training=False, key=None):
        return x, {"calls": state["calls"] + 1} if training else state


def test_masks_do_not_depend_on_the_micro_batch_size(monkeypatch):
    network = Network((Dense(12), Dropout(0.5), ReLU(), Dense(4)), (8, 8, 1))
    whole, _ = loss_of_batch(network, 32, monkeypatch, 32)
    allowed = tolerance("float32", 32)
    for part in (8, 16):
        split, text = loss_of_batch(network, 32, monkeypatch, part)
        assert f"tensor<{part}x12xf32>" in text
        for ours, theirs in zip(jax.tree.leaves(whole), jax.tree.leaves(split), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=allowed, atol=allowed)


def test_masks_depend_on_seed_and_step(images):
    """The loss of each step is that with the mask drawn by hand."""
    network = Network((Dropout(0.5), Dense(4)), (8, 8, 1))
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    chunk = make_train_chunk(network, RULE, 8)
    state = initial_state(network, RULE, seed_data.key)
    for step in range(3):
        key = jax.random.fold_in(jax.random.fold_in(seed_data.key, 4), step)
        keys = [jax.random.fold_in(jax.random.fold_in(key, i), 1) for i in range(8)]
        kept = np.stack([jax.random.bernoulli(k, 0.5, (8, 8, 1)) for k in keys])
        x = np.where(kept, 2 * batch_at(images, seed_data, step), 0)
        last = state.params["dense_2"]
        logits = dense(jnp.asarray(x, jnp.float32), last["w"], last["b"])
        expected = softmax_cross_entropy(logits, images_at(images, seed_data, step).labels)
        state, metrics = chunk(state, np.int32(step + 1), images, seed_data)
        assert float(metrics.loss[0]) == pytest.approx(float(expected), rel=1e-5)


@dataclasses.dataclass(frozen=True)
class Noisy(Layer):
    """A custom layer with every feature: frozen, grouped and undecayed parameters, state, a key."""

    needs_key: ClassVar[bool] = True
    deviation: float = 0.1

    def params(self, shape):
        return {
            "fixed": Param(shape, Constant(2.0), trained=False),
            "slow": Param(shape, Constant(1.0), group="slow"),
            "free": Param(shape, Constant(1.0), decayed=False),
        }

    def state(self, shape):
        return {"seen": Param(())}

    def apply(self, params, state, x, *, training=False, key=None):
        z = x * (params["fixed"] * params["slow"] * params["free"])[None]
        if not training:
            return z, state
        draw = jax.vmap(lambda k: jax.random.normal(k, x.shape[1:], x.dtype))
        return z + self.deviation * draw(key), {"seen": state["seen"] + len(x)}


CUSTOM = (Noisy(), Dense(4))


def test_a_custom_layer_has_a_frozen_parameter_a_group_a_state_and_a_key(images):
    trained = run(images, CUSTOM, steps=20, group_rates=(("slow", 0.0),), weight_decay=0.1)
    (params,), (state,) = trained.params, trained.state
    noisy = params["noisy_1"]
    np.testing.assert_array_equal(noisy["fixed"], np.full((8, 8, 1), 2.0))
    np.testing.assert_array_equal(noisy["slow"], np.ones((8, 8, 1)))  # its rate is 0
    assert np.abs(noisy["free"] - 1).max() > 0
    assert state["noisy_1"]["seen"] == 20 * 8


def test_a_group_rate_multiplies_the_learning_rate(images):
    """At half the rate, the first update of a group is halved."""
    whole, half = (
        run(images, CUSTOM, steps=1, group_rates=rates).params[0]["noisy_1"]
        for rates in ((), (("slow", 0.5),))
    )
    np.testing.assert_allclose(half["slow"] - 1, 0.5 * (whole["slow"] - 1), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(half["free"], whole["free"])


def test_undecayed_parameters_change_only_by_their_gradients(images):
    """Images of one colour normalise to 0, so their factors have no gradient."""
    grey = images._replace(pixels=np.full_like(images.pixels, 99))
    layers = (Noisy(deviation=0.0), Dense(4))
    noisy = run(grey, layers, steps=20, weight_decay=0.5).params[0]["noisy_1"]
    np.testing.assert_array_equal(noisy["free"], np.ones((8, 8, 1)))
    assert noisy["slow"].max() < 0.9


@dataclasses.dataclass(frozen=True)
class Centred(Layer):
    """A custom layer that subtracts the mean of the first eight training images."""

    def params(self, shape):
        start = FromImages(lambda images: images.mean(axis=0), images=8)
        return {"mean": Param(shape, start, trained=False)}

    def __call__(self, params, x):
        return x - params["mean"][None]


def test_a_parameter_may_be_initialised_from_training_images(images):
    (params,) = run(images, (Centred(), Dense(4)), steps=3).params
    seed_data = make_seed_data(images, 5)
    first = normalise(images.pixels[seed_data.train[:8]], seed_data.normalisation)
    allowed = tolerance("float32", 8)
    np.testing.assert_allclose(params["centred_1"]["mean"], first.mean(axis=0), allowed, allowed)


def test_draws_differ_between_seeds(images):
    first, again, other = (run(images, CUSTOM, steps=5, seed=seed).params[0] for seed in (5, 5, 6))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert not np.array_equal(first["noisy_1"]["free"], other["noisy_1"]["free"])


def test_an_optimiser_receives_only_the_trained_parameters():
    network = Network(CUSTOM, (8, 8, 1))
    state = initial_state(network, RULE, jax.random.key(0))
    shapes = [leaf.shape for leaf in jax.tree.leaves(state.opt_state.m)]
    assert len(shapes) == 4  # slow, free, and the dense layer's two
    assert isinstance(state, TrainState)


@dataclasses.dataclass(frozen=True)
class Scaled(Layer):
    """A custom layer that ignores dtypes."""

    def params(self, shape):
        return {"by": Param(shape, Constant(1.0))}

    def __call__(self, params, x):
        return x * params["by"][None]


def test_a_custom_layer_keeps_the_precision_of_its_inputs(images):
    with jax.numpy_dtype_promotion("standard"):  # bfloat16 times float32 is float32
        (params,) = run(images, (Residual((Scaled(),)), Dense(4)), precision="bf16").params
        network = Network((Scaled(), Dense(4)), (8, 8, 1))
        outputs = network.outputs(
            *network.init(jax.random.key(0)), jnp.ones((2, 8, 8, 1), "bfloat16")
        )
    assert {z.dtype.name for z in outputs.values()} == {"bfloat16"}
    assert params["residual_1"]["body"]["scaled_1"]["by"].dtype == np.float32


@dataclasses.dataclass(frozen=True)
class Drawn(Layer):
    """A parameter and a state initialised by draws, and a state initialised from images."""

    def params(self, shape):
        return {"w": Param((9,), nn.Normal(1.0))}

    def state(self, shape):
        mean = FromImages(lambda images: images.mean(axis=(0, 1, 2)))
        return {"s": Param((9,), nn.Normal(1.0)), "mean": Param((1,), mean)}

    def apply(self, params, state, x, *, training=False, key=None):
        return x, state


def test_state_is_initialised_by_its_own_draws_and_from_images(images):
    trained = run(images, (Drawn(), Dense(4)), steps=1)
    state, params = trained.state[0]["drawn_1"], trained.params[0]["drawn_1"]
    assert not np.isclose(state["s"], params["w"]).any()
    assert abs(state["mean"][0]) < 0.01  # of normalised images


def test_group_factors_multiply_updates():
    rule = scale_by_group({"a": 0.5, "b": 1.0})
    updates: Any
    updates, _ = rule.update({"a": jnp.ones(2), "b": jnp.ones(3)}, rule.init({}))
    np.testing.assert_array_equal(updates["a"], 0.5 * np.ones(2))
    np.testing.assert_array_equal(updates["b"], np.ones(3))


@dataclasses.dataclass(frozen=True)
class Embedding(Layer):
    """A custom layer on integer tokens: one vector per token."""

    words: int
    width: int

    def output_shape(self, shape):
        return (*shape, self.width)

    def params(self, shape):
        return {"table": Param((self.words, self.width), nn.Normal(1.0))}

    def __call__(self, params, x):
        return params["table"][x]


@dataclasses.dataclass(frozen=True)
class Average(Layer):
    """The mean over the tokens."""

    def output_shape(self, shape):
        return shape[1:]

    def __call__(self, params, x):
        return x.mean(axis=1)


@pytest.mark.parametrize(
    ("precision", "streaming"),
    [pytest.param("float32", False, marks=pytest.mark.slow), ("bf16", True)],
)
def test_inputs_may_be_tokens(precision, streaming):
    """Sequences of seven tokens; the class is the token at every second position."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 48).astype(np.int32)
    tokens = generator.integers(0, 4, (48, 7)).astype(np.int32)
    tokens[:, ::2] = labels[:, None]
    indices = np.arange(48, dtype=np.int32)
    seed_data = SeedData(jax.random.key(0), indices[:40], indices[40:], None)
    layers = (Embedding(4, 6), Dense(8, flatten=False), ReLU(), Average(), Dense(4))
    settings = dataclasses.replace(
        SETTINGS, layers=layers, steps=150, precision=precision, learning_rate=0.3
    )
    network = Network(layers, (7,))
    images = HostImages((Images(tokens, labels),))
    trained = train(network, momentum(0.3), settings, images, [seed_data], streaming=streaming)
    assert trained.history[-1].validation_accuracy == 1.0
