"""Which images a step uses: independent draws, or epochs of a permutation."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from ffnn_jax.config import AlternatingFlip, UserError, Validation, preset
from ffnn_jax.network import Network, normalise
from ffnn_jax.nn import Dense
from ffnn_jax.optim import momentum
from ffnn_jax.training import (
    HostImages,
    Sampling,
    initial_state,
    make_train_chunk,
    permute,
    split_validation,
    train,
)
from ffnn_jax.training._sampling import batch_indices
from ffnn_jax.training._step import inputs_at
from tests.training.conftest import make_seed_data
from tests.training.test_draws import sizes_in

LEAST_P = 1e-4
NETWORK = Network((Dense(4),), (8, 8, 1))
RULE = momentum(0.05)


def permutation(seed: int, count: int) -> np.ndarray:
    return np.asarray(permute(jax.random.key(seed), jnp.arange(count, dtype=jnp.int32), count))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 40, 999, 1024, 1025, 57_999])
def test_every_number_occurs_once(count):
    assert sorted(permutation(3, count)) == list(range(count))


@pytest.mark.parametrize("count", [65, 1025])
def test_the_number_that_needs_a_bit_more_is_permuted_with_the_others(count):
    assert len({permutation(seed, count)[-1] for seed in range(4)} - {count - 1}) > 1


def test_part_of_a_permutation_equals_that_part_of_the_whole():
    whole = permutation(1, 1000)
    positions = jnp.array([999, 0, 17, 500], jnp.int32)
    part = jax.jit(permute, static_argnums=2)(jax.random.key(1), positions, 1000)
    np.testing.assert_array_equal(part, whole[np.asarray(positions)])


@pytest.mark.parametrize(("count", "size"), [(5, 5), (10, 2), (70, 2), (100, 2)])
def test_all_ordered_beginnings_are_equally_likely(count, size):
    """All 120 orders of five numbers, and all ordered pairs of more, by either algorithm."""
    outcomes = math.perm(count, size)
    keys = jax.random.split(jax.random.key(7), 20 * outcomes)
    first = jnp.arange(size, dtype=jnp.int32)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: permute(key, first, count)))(keys))
    _, counts = np.unique(drawn @ count ** np.arange(size), return_counts=True)
    assert len(counts) == outcomes
    assert chisquare(counts).pvalue > LEAST_P


def test_neighbours_are_permuted_independently():
    """Among 57,999 numbers, the position of one tells nothing about that of the next."""
    numbers = permutation(5, 57_999)
    cells = numbers[:-1] * 8 // 57_999 * 8 + numbers[1:] * 8 // 57_999
    assert chisquare(np.bincount(cells, minlength=64)).pvalue > LEAST_P


def test_a_batch_of_a_permutation_costs_only_its_size():
    traced = jax.make_jaxpr(lambda key: permute(key, jnp.arange(16, dtype=jnp.int32), 10**7))(
        jax.random.key(0)
    )
    assert max(sizes_in(traced.jaxpr)) <= 16


def batches_of(images, kind: str, steps: int, size: int = 7) -> list[list[int]]:
    seed_data, sampling = make_seed_data(images), Sampling(size, kind)
    return [
        np.asarray(batch_indices(seed_data, jnp.int32(step), sampling)).tolist()
        for step in range(steps)
    ]


def joined(batches: list[list[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


def test_an_epoch_uses_every_image_once_and_the_next_in_another_order(images):
    """40 images in batches of 8: five steps."""
    batches = batches_of(images, "epochs", 10, size=8)
    first, second = joined(batches[:5]), joined(batches[5:])
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second


def test_the_last_partial_batch_is_dropped_or_kept(images):
    """40 images in batches of 7: five full batches and five images."""
    dropped, kept = batches_of(images, "epochs", 5), batches_of(images, "epochs-partial", 6)
    assert kept[:5] == dropped
    assert len(set(joined(dropped))) == 35
    assert kept[5][5:] == [kept[5][4]] * 2  # padded
    assert sorted(joined(kept[:5]) + kept[5][:5]) == list(range(40))
    assert Sampling(7, "epochs-partial").partial_size(40) == 5
    assert [Sampling(7, kind).steps_per_epoch(40) for kind in ("epochs", "epochs-partial")] == [
        5,
        6,
    ]


def test_a_partial_batch_is_trained_on_at_its_own_size(images):
    """Its step equals that of a batch of five, with the same images."""
    images, seed_data = jax.device_put((images, make_seed_data(images)))
    chunk = make_train_chunk(NETWORK, RULE, 7, sampling="epochs-partial")
    state, _ = chunk(initial_state(NETWORK, RULE, seed_data.key), np.int32(5), images, seed_data)
    before = jax.tree.map(jnp.copy, state)
    after, metrics = chunk(state, np.int32(6), images, seed_data)
    last = batch_indices(seed_data, jnp.int32(5), Sampling(7, "epochs-partial"))[:5]
    alone = seed_data._replace(train=last)
    five = make_train_chunk(NETWORK, RULE, 5, sampling="epochs")
    expected, metrics_of_five = five(before, np.int32(6), images, alone)
    assert float(metrics.loss[0]) == pytest.approx(float(metrics_of_five.loss[0]), rel=1e-6)
    for ours, theirs in zip(*map(jax.tree.leaves, (after.params, expected.params)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [pytest.param("epochs", marks=pytest.mark.slow), "epochs-partial"])
def test_a_streamed_epoch_is_bitwise_equal_to_one_in_memory(images, kind):
    pytest.importorskip("grain")
    settings = dataclasses.replace(
        preset("quickstart"), steps=13, batch_size=7, sampling=kind, validation_interval=13,
        augmentations=(AlternatingFlip(),),
    )  # fmt: skip
    weights = [
        train(
            NETWORK, RULE, settings, HostImages((images,)), [make_seed_data(images)],
            streaming=streaming,
        ).params[0]["dense_1"]["w"]
        for streaming in (False, True)
    ]  # fmt: skip
    np.testing.assert_array_equal(*weights)


def test_an_image_is_mirrored_in_every_other_epoch_wherever_it_comes_in_it(images):
    """40 images in batches of 8; an image is recognised by its pixels."""
    host = jax.device_put(images._replace(pixels=images.pixels[:, :1]))
    seed_data, sampling = jax.device_put(make_seed_data(images)), Sampling(8, "epochs")
    inputs = jax.jit(
        lambda step: inputs_at(
            NETWORK, host, seed_data, step, sampling, (AlternatingFlip(),), sampling.size
        )[0]
    )
    known = np.asarray(normalise(host.pixels, seed_data.normalisation))
    mirrored = np.full((4, 48), -1)
    for step in range(20):
        for image in np.asarray(inputs(jnp.int32(step))):
            apart = [np.abs(known - one).max(axis=(1, 2, 3)) for one in (image, image[:, ::-1])]
            way, index = np.unravel_index(np.argmin(apart), (2, len(known)))
            mirrored[step // 5, index] = way
    first, mirrored = mirrored[0, :40], mirrored[:, :40]
    assert 5 < first.sum() < 35
    np.testing.assert_array_equal(mirrored, np.stack([first, 1 - first] * 2))


def test_a_batch_larger_than_the_training_set_is_rejected(images):
    with pytest.raises(ValueError, match="batch size must be at most 40, got 41"):
        batches_of(images, "epochs", 1, size=41)


def test_the_last_images_are_taken_in_the_given_order():
    first, second = (split_validation(seed, 10, Validation("last", 3)) for seed in (0, 1))
    np.testing.assert_array_equal(first.train, np.arange(7))
    np.testing.assert_array_equal(first.validation, [7, 8, 9])
    np.testing.assert_array_equal(first.train, second.train)


def test_without_validation_every_image_is_trained_on(images):
    split = split_validation(0, 10, Validation("none"))
    assert (len(split.train), len(split.validation)) == (10, 0)
    seed_data = make_seed_data(images)._replace(validation=np.zeros(0, np.int32))
    settings = dataclasses.replace(preset("quickstart"), steps=20, batch_size=8)
    trained = train(NETWORK, RULE, settings, HostImages((images,)), [seed_data])
    assert [record.validation_accuracy for record in trained.history] == [None]


def test_the_split_has_every_image_once():
    train, validation = split_validation(3, 100, Validation("drawn", 21))
    assert (len(train), len(validation)) == (79, 21)
    assert sorted([*train, *validation]) == list(range(100))
    assert train.dtype == np.int32


def test_the_seed_determines_the_validation_images():
    first, again, other = (
        split_validation(seed, 100, Validation("drawn", 21)).validation for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_validation_on_all_images_is_rejected():
    with pytest.raises(UserError, match="must be below the 100 training images, got 100"):
        split_validation(0, 100, Validation("drawn", 100))
