import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import Refusal
from ffnn_jax.training import hold_out, normalisation_of, normalise
from tests.tolerances import tolerance

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
def test_each_channel_is_scaled_and_has_its_mean_taken_off(scale):
    inputs = normalise(jnp.asarray(PIXELS), normalisation_of(PIXELS, scale))
    wide = PIXELS.astype(np.float64) * scale
    expected = wide - wide.mean(axis=(0, 1, 2))
    assert inputs.dtype == jnp.float32
    np.testing.assert_allclose(inputs, expected, atol=255 * scale * tolerance(jnp.float32))


def test_the_mean_of_many_bright_images_does_not_overflow():
    white = np.full((30_000, 28, 28, 1), 255, np.uint8)
    np.testing.assert_array_equal(normalisation_of(white, 1 / 255).mean, np.array([1], np.float32))


def test_holding_out_parts_all_rows_in_two():
    train, validation = hold_out(3, 100, 21)
    assert (len(train), len(validation)) == (79, 21)
    assert sorted([*train, *validation]) == list(range(100))
    assert train.dtype == np.int32


def test_the_seed_decides_what_is_held_out():
    first, again, other = (hold_out(seed, 100, 21).validation for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_holding_out_everything_is_refused():
    with pytest.raises(Refusal, match="held-out must be below the 100 training images, got 100"):
        hold_out(0, 100, 100)
