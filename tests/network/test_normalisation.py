import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import NORMALISATIONS
from ffnn_jax.network import compute_normalisation, normalise
from tests.tolerances import tolerance

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)


CHANNELS = PIXELS * np.array([0, 1, 2], np.uint8) // 2  # the first is black


def plainly(kind, scale):
    """The inputs in float64, each kind in its textbook form."""
    inputs = CHANNELS * scale
    if kind == "mean":
        return inputs - inputs.mean()
    inputs = inputs - inputs.mean(axis=(0, 1, 2))
    stddev = inputs.std(axis=(0, 1, 2))
    return inputs / np.where(stddev == 0, 1, stddev) if kind == "channel-mean-sd" else inputs


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_inputs_are_those_of_the_plain_definition(kind, scale):
    inputs = normalise(jnp.asarray(CHANNELS), compute_normalisation([CHANNELS], scale, kind))
    assert inputs.dtype == jnp.float32
    allowed = 255 * scale * tolerance(jnp.float32)
    np.testing.assert_allclose(inputs, plainly(kind, scale), atol=allowed)


def test_unless_told_each_channel_has_its_own_mean_taken_off():
    sums = np.array([CHANNELS[..., channel].sum(dtype=int) for channel in range(3)])
    scale, mean = compute_normalisation([CHANNELS], 1 / 255)
    np.testing.assert_array_equal(mean, (1 / 255 * sums / (40 * 6 * 5)).astype(np.float32))
    np.testing.assert_array_equal(scale, np.full(3, 1 / 255, np.float32))


def test_the_mean_of_one_channel_is_the_channel_s():
    grey = [PIXELS[..., :1]]
    one, each = (compute_normalisation(grey, 1 / 255, kind) for kind in ("mean", "channel-mean"))
    np.testing.assert_array_equal(one.scale, each.scale)
    np.testing.assert_array_equal(one.mean, each.mean)


def test_a_channel_of_one_colour_is_not_divided():
    scale, mean = compute_normalisation(
        [np.full((3, 4, 4, 1), 51, np.uint8)], 1 / 255, "channel-mean-sd"
    )
    np.testing.assert_array_equal(scale, np.array([1 / 255], np.float32))
    np.testing.assert_array_equal(mean, np.array([0.2], np.float32))


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_how_images_are_cut_into_blocks_decides_nothing(kind):
    blocks = (PIXELS[first:last] for first, last in ((0, 1), (1, 30), (30, 30), (30, 40)))
    whole, cut = (
        compute_normalisation([PIXELS], 1 / 255, kind),
        compute_normalisation(blocks, 1 / 255, kind),
    )
    np.testing.assert_array_equal(whole.scale, cut.scale)
    np.testing.assert_array_equal(whole.mean, cut.mean)


def test_totals_of_many_bright_images_do_not_overflow():
    """Half of 24 million pixels white: their number times their squares is above 2^64."""
    block = np.zeros((1000, 28, 28, 1), np.uint8)
    block[::2] = 255
    scale, mean = compute_normalisation([block] * 30, 1 / 255, "channel-mean-sd")
    np.testing.assert_array_equal(scale, np.array([1 / 127.5], np.float32))
    np.testing.assert_array_equal(mean, np.array([1], np.float32))


def test_no_more_than_a_block_is_in_memory():
    size = 250_000

    def blocks():
        for seed in range(12):
            yield np.full((size // 25, 5, 5, 1), seed, np.uint8)

    tracemalloc.start()
    compute_normalisation(blocks(), 1 / 255, "channel-mean-sd")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * size


@pytest.mark.parametrize(
    ("blocks", "kind", "message"),
    [
        ([PIXELS], "sd", "kind must be one of mean, channel-mean, channel-mean-sd, got 'sd'"),
        (PIXELS, "mean", r"blocks must be uint8 \(n, H, W, C\), got uint8 \(6, 5, 3\)"),
        ([PIXELS * 1.0], "mean", r"blocks must be uint8 .*, got float64 \(40, 6, 5, 3\)"),
        ([], "mean", "blocks must hold at least one image, got none"),
        ([PIXELS[:0]], "mean", "blocks must hold at least one image, got none"),
    ],
)
def test_what_has_no_normalisation_is_rejected(blocks, kind, message):
    with pytest.raises(ValueError, match=f"^compute_normalisation: {message}$"):
        compute_normalisation(blocks, 1 / 255, kind)
