"""Whitening kernels: equations (whitening.1)-(whitening.3), against loops and numpy's eigh."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.network import Network
from ffnn_jax.network._whitening import whitening_kernels
from ffnn_jax.nn import Conv, PatchWhitening
from tests.tolerances import tolerance

SHAPE = 2, 3, 3, 36
SIZE = 2 * 3 * 3
EPS = 0.01


def correlated(count: int = 40) -> np.ndarray:
    """Images (6, 5, 3) whose neighbouring pixels are alike; means are not 0."""
    noise = np.random.default_rng(0).normal(size=(count, 8, 7, 3))
    smooth = sum(noise[:, i : i + 6, j : j + 5] for i in range(3) for j in range(3))
    return smooth @ np.array([[1.0, 0.5, 0], [0, 0.8, 0.3], [0, 0, 0.2]]) + 0.1


def patches_of(images: np.ndarray) -> np.ndarray:
    """P: one row per patch, in the order of the kernels' entries."""
    places = itertools.product(range(6 - 1), range(5 - 2))
    return np.concatenate([images[:, i : i + 2, j : j + 3].reshape(-1, SIZE) for i, j in places])


def kernels(images: np.ndarray, eps: float = EPS) -> np.ndarray:
    return np.asarray(whitening_kernels(jnp.asarray(images), SHAPE, eps))


def test_patches_are_whitened_in_order_of_their_variances(x64):
    p, w = patches_of(correlated()), kernels(correlated()).reshape(SIZE, 2 * SIZE)[:, :SIZE]
    variances = np.linalg.eigvalsh(p.T @ p / len(p))[::-1]
    assert variances[0] > 100 * EPS > variances[-1]
    allowed = tolerance("float64", len(p))
    whitened = (p @ w).T @ (p @ w) / len(p)
    expected = np.diag(variances / (variances + EPS))
    np.testing.assert_allclose(whitened, expected, rtol=0, atol=allowed)


def test_kernels_equal_numpy_s_eigenvectors_up_to_their_sign(x64):
    p = patches_of(correlated())
    variances, v = np.linalg.eigh(p.T @ p / len(p))
    expected = (v / np.sqrt(variances + EPS))[:, ::-1]
    w = kernels(correlated()).reshape(SIZE, 2 * SIZE)[:, :SIZE]
    allowed = tolerance("float64", len(p))
    np.testing.assert_allclose(np.abs(w), np.abs(expected), rtol=0, atol=allowed)
    np.testing.assert_allclose(np.abs((w * expected).sum(0)), (expected**2).sum(0), allowed)


def test_each_kernel_s_largest_entry_is_positive_and_its_negative_follows(x64):
    w = kernels(correlated()).reshape(SIZE, 2 * SIZE)
    np.testing.assert_array_equal(w[:, SIZE:], -w[:, :SIZE])
    largest = np.abs(w[:, :SIZE]).argmax(axis=0)
    assert (w[largest, np.arange(SIZE)] > 0).all()


def test_kernels_of_the_same_images_mirrored_about_0_or_in_another_order_are_the_same(x64):
    w, allowed = kernels(correlated()), tolerance("float64", 40 * 15)
    for images in (-correlated(), correlated()[::-1]):
        np.testing.assert_allclose(kernels(images), w, rtol=0, atol=allowed)


@pytest.fixture
def first() -> Network:
    """A first layer as the presets have it."""
    return Network((Conv(24, 2, padding="VALID", start="whitening"),), (6, 5, 3))


def test_a_layer_begins_with_kernels_that_whiten_what_it_sees(first):
    images = 0.05 * np.random.default_rng(1).normal(size=(40, 6, 5, 3)).astype(np.float32)
    params, _ = first.init(jax.random.key(0), jnp.asarray(images))
    z, _ = first.apply(params, {}, jnp.asarray(images))
    rows = np.asarray(z[..., :12]).reshape(-1, 12)
    places = itertools.product(range(5), range(4))
    p = np.concatenate([images[:, i : i + 2, j : j + 2].reshape(-1, 12) for i, j in places])
    variances = np.linalg.eigvalsh(p.T.astype(np.float64) @ p / len(p))[::-1]
    expected = np.diag(variances / (variances + 5e-4))  # about 0.83
    allowed = 10 * tolerance("float32", len(rows))
    np.testing.assert_allclose(rows.T @ rows / len(rows), expected, rtol=0, atol=allowed)
    np.testing.assert_array_equal(params["conv_1"]["b"], np.zeros(24))


def test_only_the_first_5_000_images_count(first):
    assert first.needs_images() == 5000
    assert PatchWhitening() == PatchWhitening(eps=5e-4, images=5000)
    images = np.tile(correlated(8), (626, 1, 1, 1)).astype(np.float32)
    changed = np.concatenate([images[:5000], 9 * images[5000:]])
    one, other, outside = (
        first.init(jax.random.key(0), jnp.asarray(x))[0]["conv_1"]["w"]
        for x in (images, changed, 9 * images)
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - outside).max() > 0.1


def test_the_kernels_are_fixed_and_the_biases_a_group_of_their_own(first):
    assert first.param_attribute("trained")["conv_1"] == {"w": False, "b": True}
    assert first.param_attribute("group")["conv_1"]["b"] == "whitening"


def test_without_images_or_with_another_number_of_filters_there_are_no_kernels(first):
    with pytest.raises(ValueError, match="init: conv_1/w is computed from training images"):
        first.init(jax.random.key(0))
    for filters, groups, needed in ((23, 1, 24), (48, 1, 24), (24, 3, 8)):
        layer = Conv(filters, 2, groups=groups, start="whitening")
        with pytest.raises(UserError, match=f"whitening needs {needed} filters, one group"):
            layer.params((6, 5, 3))
