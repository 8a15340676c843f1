import os
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ffnn_jax.catalogue import CONV2D, DENSE, MAX_POOL, SOFTMAX_CROSS_ENTROPY
from ffnn_jax.config import AlternatingFlip, Crop, Cutout, Flip
from ffnn_jax.network import Network, normalise
from ffnn_jax.nn import BatchNorm, Dense, ReLU
from ffnn_jax.optim import Lookahead, decay_loss, momentum
from ffnn_jax.training import (
    HostImages,
    Sampling,
    flip,
    initial_state,
    make_train_chunk,
    make_validation,
    sample_without_replacement,
)
from ffnn_jax.training._sampling import batch_indices
from tests.tolerances import SAME_ARITHMETIC, tolerance
from tests.training.conftest import NETWORK, make_seed_data

RATE, MU, DECAY, BATCH = 0.05, 0.9, 0.005, 8
OURS = momentum(RATE, MU, DECAY)
OPTAX = optax.chain(
    optax.ema(MU, debias=False),
    optax.add_decayed_weights(DECAY),
    optax.scale_by_learning_rate(RATE),
)

AUGMENTATIONS = Flip(), AlternatingFlip(), Crop(2), Cutout(3)
WITH_STATE = Network((Dense(6), BatchNorm(momentum=0.6), ReLU(), Dense(4)), (8, 8, 1))


def run(images, seed_data, stops, optimizer=OURS, augmentations=(), precision="float32"):
    chunk = make_train_chunk(NETWORK, optimizer, BATCH, DECAY, augmentations, precision)
    state, metrics = initial_state(NETWORK, optimizer, seed_data.key), []
    for stop in stops:
        state, done = chunk(state, np.int32(stop), images, seed_data)
        metrics.append(jax.device_get(done))
    return jax.device_get(state), metrics


def reference_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_1"]["w"], params["conv_1"]["b"])
    z = MAX_POOL.reference(jax.nn.relu(z))
    logits = DENSE.reference(z, params["dense_4"]["w"], params["dense_4"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def run_reference(images, seed_data, steps, dtype):
    """The same training in plain JAX: autodiff, optax, and a Python loop."""
    state = initial_state(NETWORK, OPTAX, seed_data.key)
    params = jax.tree.map(lambda a: a.astype(dtype), state.params)
    opt_state = OPTAX.init(params)

    @jax.jit
    def step(params, opt_state, number):
        key = jax.random.fold_in(jax.random.fold_in(seed_data.key, 1), number)
        indices = seed_data.train[sample_without_replacement(key, BATCH, len(seed_data.train))]
        x = normalise(images.pixels[indices], seed_data.normalisation).astype(dtype)
        grads = jax.grad(reference_loss)(params, x, images.labels[indices])
        updates, opt_state = OPTAX.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    for number in range(steps):
        params, opt_state = step(params, opt_state, np.int32(number))
    return params


def assert_trees_close(ours, theirs, allowed):
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, theirs)
    chex.assert_trees_all_close(ours, theirs, rtol=allowed, atol=allowed)


def test_20_steps_match_autodiff_and_optax(images):
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    state, _ = run(images, seed_data, [20])
    theirs = jax.device_get(run_reference(images, seed_data, 20, jnp.float32))
    assert_trees_close(state.params, theirs, 20 * tolerance(jnp.float32, BATCH))


def test_200_steps_in_float64_match_autodiff_and_optax(images, x64):
    seed_data = make_seed_data(images)
    normalisation = jax.tree.map(np.float64, seed_data.normalisation)
    images, seed_data = jax.device_put((images, seed_data._replace(normalisation=normalisation)))
    chunk, state = (
        make_train_chunk(NETWORK, OURS, BATCH),
        initial_state(NETWORK, OURS, seed_data.key),
    )
    params = jax.tree.map(lambda a: a.astype(jnp.float64), state.params)
    state = state._replace(params=params, opt_state=OURS.init(params))
    for stop in (100, 200):
        state, _ = chunk(state, np.int32(stop), images, seed_data)
    theirs = run_reference(images, seed_data, 200, jnp.float64)
    assert_trees_close(state.params, theirs, 100 * SAME_ARITHMETIC)


def test_the_second_chunk_of_a_stream_holds_the_batches_of_its_own_steps(images):
    host, seed_data = HostImages((images,)), make_seed_data(images)
    images, seed_data = jax.device_put((images, seed_data))
    _, (in_memory,) = run(images, seed_data, [6], augmentations=AUGMENTATIONS)
    chunk = make_train_chunk(NETWORK, OURS, BATCH, DECAY, AUGMENTATIONS)
    state, losses = initial_state(NETWORK, OURS, seed_data.key), []
    for first in (0, 3):
        steps = range(first, first + 3)
        drawn = [batch_indices(seed_data, np.int32(step), Sampling(BATCH)) for step in steps]
        state, metrics = chunk(state, np.int32(6), host.chunk(first, np.stack(drawn)), seed_data)
        losses += metrics.loss.tolist()
    np.testing.assert_allclose(losses, in_memory.loss[:6], rtol=1e-5)


def test_the_step_is_traced_once_whatever_the_stop(images):
    """Including the last, shorter chunk."""
    chex.clear_trace_counter()
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    counted = chex.assert_max_traces(make_train_chunk(NETWORK, OURS, BATCH).__wrapped__, n=1)  # type: ignore[attr-defined]
    chunk = jax.jit(counted, donate_argnums=0)
    state = initial_state(NETWORK, OURS, seed_data.key)
    for stop in (10, 100, 137):
        state, _ = chunk(state, np.int32(stop), images, seed_data)
    assert int(state.step) == 137


@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", 0), ("cuda", 2), ("tpu", 2)])
def test_the_step_lowers_for_every_platform(images, platform, convolutions):
    """This needs no such hardware. The first layer computes z and dw, but no dx."""
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    chunk = make_train_chunk(NETWORK, OURS, BATCH, augmentations=AUGMENTATIONS)
    arguments = initial_state(NETWORK, OURS, seed_data.key), np.int32(5), images, seed_data
    text = chunk.trace(*arguments).lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.dot_general" in text
    assert text.count("stablehlo.convolution") == convolutions


def test_the_state_is_donated(images):
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    state = initial_state(NETWORK, OURS, seed_data.key)
    make_train_chunk(NETWORK, OURS, BATCH)(state, np.int32(1), images, seed_data)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_steps_past_the_stop_are_not_run_and_have_no_metrics(images):
    state, (metrics,) = run(images, make_seed_data(images), [30])
    assert state.step == 30
    for values in metrics:
        assert np.all(values[:30] > 0)
        assert np.all(values[30:] == 0)


def test_training_resumes_from_the_state_alone(images):
    seed_data = make_seed_data(images)
    uninterrupted, _ = run(images, seed_data, [90])
    resumed, _ = run(images, seed_data, [1, 37, 90])
    chex.assert_trees_all_equal(uninterrupted, resumed)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(images):
    first, again, other = (run(images, make_seed_data(images, seed), [20])[0] for seed in (0, 0, 1))
    chex.assert_trees_all_equal(first, again)
    assert not np.array_equal(first.params["dense_4"]["w"], other.params["dense_4"]["w"])


def test_32_images_can_be_memorised(images):
    seed_data = make_seed_data(images, train=np.arange(32, dtype=np.int32))
    optimizer = momentum(0.2, MU)
    _, metrics = run(images, seed_data, [100, 200, 300, 400], optimizer)
    assert metrics[0].accuracy[0] < 0.7
    assert metrics[-1].accuracy[-20:].min() == 1.0
    assert metrics[-1].loss[-20:].max() < 0.1


def test_loss_and_decay_loss_are_those_before_the_step(images):
    seed_data = make_seed_data(images)
    before, _ = run(images, seed_data, [4])
    _, metrics = run(images, seed_data, [4, 5])
    allowed = tolerance(jnp.float32, 100)
    np.testing.assert_allclose(
        metrics[1].decay_loss[0], decay_loss(before.params, DECAY), rtol=allowed
    )
    key = jax.random.fold_in(jax.random.fold_in(seed_data.key, 1), 4)
    indices = seed_data.train[np.asarray(sample_without_replacement(key, BATCH, 40))]
    x = normalise(jnp.asarray(images.pixels[indices]), seed_data.normalisation)
    loss = reference_loss(jax.device_put(before.params), x, images.labels[indices])
    np.testing.assert_allclose(metrics[1].loss[0], loss, rtol=allowed)


def test_any_optax_optimiser_can_be_used(images):
    with jax.numpy_dtype_promotion("standard"):  # adam mixes floats and integers
        _, metrics = run(images, make_seed_data(images), [100, 200], optax.adam(0.01))
    assert metrics[-1].loss[-20:].mean() < 0.5 * metrics[0].loss[:20].mean()


def test_validation_uses_validation_images_only(images):
    """Eight validation images in batches of eight: every batch holds them all."""
    seed_data = make_seed_data(images)
    state = initial_state(NETWORK, OURS, seed_data.key)
    accuracy = make_validation(NETWORK, BATCH, 3)(state, images, seed_data)
    x = normalise(jnp.asarray(images.pixels[40:]), seed_data.normalisation)
    predicted = np.argmax(NETWORK.apply(state.params, {}, x)[0], axis=1)
    assert float(accuracy) == np.mean(predicted == images.labels[40:])


def test_a_step_with_flips_is_a_step_on_images_flipped_by_hand(images):
    """The fifth step draws from stream 3, step 4, position 0."""
    seed_data = make_seed_data(images)
    before, _ = run(images, seed_data, [4], augmentations=(Flip(),))
    key = jax.random.fold_in(jax.random.fold_in(seed_data.key, 1), 4)
    indices = seed_data.train[np.asarray(sample_without_replacement(key, BATCH, 40))]
    key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(seed_data.key, 3), 4), 0)
    marks = np.broadcast_to(np.arange(2.0, dtype=np.float32)[None, None, :, None], (BATCH, 1, 2, 1))
    is_flipped = np.asarray(flip(key, jnp.asarray(marks)))[:, 0, 0, 0] == 1
    flipped = indices[is_flipped]
    assert 0 < len(flipped) < BATCH
    pixels = images.pixels.copy()
    pixels[flipped] = pixels[flipped][:, :, ::-1]
    quicker = "xla_cpu_use_fusion_emitters" in os.environ.get("XLA_FLAGS", "")
    options = {"xla_cpu_use_fusion_emitters": True} if quicker else None  # as users compile

    def fifth_step(chunk, pixels):
        args = jax.device_put(before), np.int32(5), images._replace(pixels=pixels), seed_data
        state, _ = chunk.lower(*args).compile(compiler_options=options)(*args)
        return jax.device_get(state).params

    ours = fifth_step(make_train_chunk(NETWORK, OURS, BATCH, 0.0, (Flip(),)), images.pixels)
    theirs = fifth_step(make_train_chunk(NETWORK, OURS, BATCH), pixels)
    chex.assert_trees_all_equal(ours, theirs)


def test_augmented_training_resumes_from_the_state_alone(images):
    seed_data = make_seed_data(images)
    uninterrupted, _ = run(images, seed_data, [90], augmentations=AUGMENTATIONS)
    resumed, _ = run(images, seed_data, [1, 37, 90], augmentations=AUGMENTATIONS)
    chex.assert_trees_all_equal(uninterrupted, resumed)


@pytest.mark.parametrize(("augmentations", "keys"), [((), 3), ((Flip(),), 7)])
def test_a_step_without_augmentations_creates_no_keys_for_them(images, augmentations, keys):
    """A batch folds in stream, step and attempt; an augmentation stream, step and position.

    What an image keeps from epoch to epoch has one more stream.
    """
    seed_data = make_seed_data(images)
    chunk = make_train_chunk(NETWORK, OURS, BATCH, augmentations=augmentations)
    state = initial_state(NETWORK, OURS, seed_data.key)
    traced = str(jax.make_jaxpr(chunk)(state, np.int32(1), images, seed_data))
    assert traced.count("random_fold_in") == keys


def test_a_step_in_bf16_is_the_float32_step_rounded(images):
    wide, narrow = (
        run(images, make_seed_data(images), [1], precision=precision)
        for precision in ("float32", "bf16")
    )
    start = initial_state(NETWORK, OURS, make_seed_data(images).key).params
    for before, after, rounded in zip(
        *map(jax.tree.leaves, (start, wide[0].params, narrow[0].params)), strict=True
    ):
        assert rounded.dtype == np.float32
        change = np.max(np.abs(np.asarray(after - before)))
        assert 0 < np.max(np.abs(after - rounded)) < 0.1 * change
    losses = wide[1][0].loss[0], narrow[1][0].loss[0]
    assert losses[0] == pytest.approx(losses[1], rel=tolerance("bfloat16"))


def test_bf16_products_are_accumulated_in_float32(images):
    seed_data = make_seed_data(images)
    chunk = make_train_chunk(NETWORK, OURS, BATCH, precision="bf16")
    state = initial_state(NETWORK, OURS, seed_data.key)
    text = chunk.lower(state, np.int32(1), images, seed_data).as_text()
    products = re.findall(r"dot_general.*: \((.*)\) -> (.*)", text)
    assert len(products) == 5  # two layers: forward, dw, and the second layer's dx
    for operands, result in products:
        assert len(re.findall(r"xbf16>", operands)) == 2
        assert result.endswith("xf32>")


def looking_ahead(images, seed_data, steps, lookahead):
    """The state after each step of a network with running statistics."""
    chunk = make_train_chunk(WITH_STATE, OURS, BATCH, lookahead=lookahead)
    state = initial_state(WITH_STATE, OURS, seed_data.key, looks_ahead=lookahead is not None)
    for stop in range(1, steps + 1):
        state, _ = chunk(state, np.int32(stop), images, seed_data)
        yield jax.device_get(state)


@pytest.mark.parametrize("steps", [6, 7])
def test_lookahead_pulls_parameters_and_running_statistics_back(images, steps):
    """Every third step, and at the end whether or not that is one of these."""
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    plain = make_train_chunk(WITH_STATE, OURS, BATCH)
    expected = jax.device_get(initial_state(WITH_STATE, OURS, seed_data.key))
    slow = expected.params, expected.state
    for count, ours in enumerate(looking_ahead(images, seed_data, steps, Lookahead(3, steps)), 1):
        after, _ = plain(jax.device_put(expected), np.int32(count), images, seed_data)
        expected = jax.device_get(after)
        if count % 3 == 0:
            beta = np.float32(0.95**3 * (count / steps) ** 3)
            fast = expected.params, expected.state
            slow = jax.tree.map(lambda s, w, b=beta: b * s + (1 - b) * w, slow, fast)
        if count % 3 == 0 or count == steps:
            expected = expected._replace(params=slow[0], state=slow[1])
        assert_trees_close((ours.params, ours.state), expected[:2], 1e2 * tolerance("float32"))
        assert_trees_close(ours.slow, slow, 1e2 * tolerance("float32"))
        chex.assert_trees_all_equal(ours.opt_state.step, expected.opt_state.step)


def test_without_lookahead_a_state_has_no_slow_parameters(images):
    state = initial_state(NETWORK, OURS, make_seed_data(images).key)
    assert state.slow == ()
    ahead = initial_state(NETWORK, OURS, make_seed_data(images).key, looks_ahead=True)
    chex.assert_trees_all_equal(ahead.slow, (state.params, state.state))


def test_labels_are_smoothed_in_the_loss_and_its_gradient(images):
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    chunk = make_train_chunk(NETWORK, OURS, BATCH, label_smoothing=0.2)
    state = initial_state(NETWORK, OURS, seed_data.key)
    params = jax.tree.map(jnp.copy, state.params)
    indices = batch_indices(seed_data, np.int32(0), Sampling(BATCH))
    x = normalise(images.pixels[indices], seed_data.normalisation)

    def loss(params):
        z = CONV2D.reference(x, params["conv_1"]["w"], params["conv_1"]["b"])
        z = MAX_POOL.reference(jax.nn.relu(z))
        logits = DENSE.reference(z, params["dense_4"]["w"], params["dense_4"]["b"])
        targets = optax.smooth_labels(jax.nn.one_hot(images.labels[indices], 4), 0.2)
        return optax.softmax_cross_entropy(logits, targets).mean()

    after, metrics = chunk(state, np.int32(1), images, seed_data)
    value, grads = jax.value_and_grad(loss)(params)
    updates, _ = OURS.update(grads, OURS.init(params), params)
    allowed = tolerance("float32", 100)
    np.testing.assert_allclose(metrics.loss[0], value, rtol=allowed)
    assert_trees_close(after.params, optax.apply_updates(params, updates), allowed)
    plain, _ = run(images, seed_data, [1])
    assert np.abs(after.params["dense_4"]["b"] - plain.params["dense_4"]["b"]).max() > 5 * allowed
