import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import NORMALISATIONS
from ffnn_jax.network import compute_normalisation, normalise
from tests.tolerances import tolerance

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)


CHANNELS = PIXELS * np.array([0, 1, 2], np.uint8) // 2  # the first is black


def reference(kind, scale):
    """The inputs in float64, by the textbook formula of each kind."""
    inputs = CHANNELS * scale
    if kind == "mean":
        return inputs - inputs.mean()
    inputs = inputs - inputs.mean(axis=(0, 1, 2))
    stddev = inputs.std(axis=(0, 1, 2))
    return inputs / np.where(stddev == 0, 1, stddev) if kind == "channel-mean-sd" else inputs


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_inputs_equal_the_reference_implementation(kind, scale):
    inputs = normalise(jnp.asarray(CHANNELS), compute_normalisation([CHANNELS], scale, kind))
    assert inputs.dtype == jnp.float32
    allowed = 255 * scale * tolerance(jnp.float32)
    np.testing.assert_allclose(inputs, reference(kind, scale), atol=allowed)


def test_by_default_each_channel_s_mean_is_subtracted():
    sums = np.array([CHANNELS[..., channel].sum(dtype=int) for channel in range(3)])
    scale, mean = compute_normalisation([CHANNELS], 1 / 255)
    np.testing.assert_array_equal(mean, (1 / 255 * sums / (40 * 6 * 5)).astype(np.float32))
    np.testing.assert_array_equal(scale, np.full(3, 1 / 255, np.float32))


def test_for_one_channel_mean_and_channel_mean_agree():
    grey = [PIXELS[..., :1]]
    mean, channel_mean = (
        compute_normalisation(grey, 1 / 255, kind) for kind in ("mean", "channel-mean")
    )
    np.testing.assert_array_equal(mean.scale, channel_mean.scale)
    np.testing.assert_array_equal(mean.mean, channel_mean.mean)


def test_a_constant_channel_is_not_divided_by_its_deviation():
    scale, mean = compute_normalisation(
        [np.full((3, 4, 4, 1), 51, np.uint8)], 1 / 255, "channel-mean-sd"
    )
    np.testing.assert_array_equal(scale, np.array([1 / 255], np.float32))
    np.testing.assert_array_equal(mean, np.array([0.2], np.float32))


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_the_result_does_not_depend_on_the_blocks(kind):
    blocks = (PIXELS[first:last] for first, last in ((0, 1), (1, 30), (30, 30), (30, 40)))
    one_block, several = (
        compute_normalisation([PIXELS], 1 / 255, kind),
        compute_normalisation(blocks, 1 / 255, kind),
    )
    np.testing.assert_array_equal(one_block.scale, several.scale)
    np.testing.assert_array_equal(one_block.mean, several.mean)


def test_totals_of_many_bright_images_do_not_overflow():
    """Half of 24 million pixels are white: count times sum of squares exceeds 2^64."""
    block = np.zeros((1000, 28, 28, 1), np.uint8)
    block[::2] = 255
    scale, mean = compute_normalisation([block] * 30, 1 / 255, "channel-mean-sd")
    np.testing.assert_array_equal(scale, np.array([1 / 127.5], np.float32))
    np.testing.assert_array_equal(mean, np.array([1], np.float32))


def test_only_one_block_is_in_memory():
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
        ([PIXELS > 9], "mean", r"blocks must be uint8 .*, got bool \(40, 6, 5, 3\)"),
        ([PIXELS * 1.0], "mean", r"blocks must be uint8 .*, got float64 \(40, 6, 5, 3\)"),
        ([], "mean", "blocks must hold at least one image, got none"),
        ([PIXELS[:0]], "mean", "blocks must hold at least one image, got none"),
    ],
)
def test_invalid_images_and_kinds_are_rejected(blocks, kind, message):
    with pytest.raises(ValueError, match=f"^compute_normalisation: {message}$"):
        compute_normalisation(blocks, 1 / 255, kind)
