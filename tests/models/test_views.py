"""Several views of an image, against plain numpy, in memory and in files."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.models import Model, export_model, load, load_arrays, save, save_arrays, save_exported
from ffnn_jax.models._probabilities import logits_of_views
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Conv, Dense, ReLU
from tests.tolerances import tolerance

NETWORK = Network((Conv(3, 3, "VALID"), ReLU(), Dense(4)), (6, 5, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 2), np.uint8)
NORMALISATION = Normalisation(np.full(2, 1 / 255, np.float32), np.full(2, 0.5, np.float32))
MODEL = Model(NETWORK, *NETWORK.init(jax.random.key(0)), NORMALISATION, ("a", "b", "c", "d"))


def shifted(x: np.ndarray, by: int) -> np.ndarray:
    """Pixel (i, j) is (i + by, j + by) of before; behind the border the image is reflected."""
    rows, columns = (np.abs(np.arange(length) + by) for length in x.shape[1:3])
    rows[rows > 5], columns[columns > 4] = 4, 3
    return x[:, rows][:, :, columns]


def by_hand(x: np.ndarray, views: str, logits) -> np.ndarray:
    """The mean of what is seen of each image, weighted."""
    shifts = {"one": {}, "mirrored": {0: 0.5}, "six": {-1: 0.125, 0: 0.25, 1: 0.125}}[views]
    if not shifts:
        return logits(x)
    total = np.zeros((len(x), 4))
    for by, weight in shifts.items():
        seen = shifted(x, by)
        total += weight * logits(seen) + weight * logits(seen[:, :, ::-1])
    return total


@pytest.mark.parametrize("views", ["one", "mirrored", "six"])
def test_logits_are_the_weighted_mean_over_the_views(views, x64):
    params = jax.tree.map(jnp.float64, MODEL.params)
    x = PIXELS / 255 - 0.5

    def logits(images: np.ndarray) -> np.ndarray:
        return np.asarray(NETWORK.apply(params, {}, jnp.asarray(images))[0])

    ours = logits_of_views(NETWORK, params, {}, jnp.asarray(x), views)
    np.testing.assert_allclose(ours, by_hand(x, views, logits), rtol=0, atol=tolerance("float64"))
    others = [by_hand(x, other, logits) for other in ("one", "mirrored", "six") if other != views]
    assert all(np.abs(ours - other).max() > 0.01 for other in others)


def test_with_mirrored_views_an_image_and_its_mirror_image_have_the_same_probabilities():
    model = dataclasses.replace(MODEL, views="mirrored")
    ours, mirrored = (model.probabilities(pixels) for pixels in (PIXELS, PIXELS[:, :, ::-1]))
    allowed = tolerance("float32", 10)
    np.testing.assert_allclose(ours, mirrored, allowed, allowed)
    np.testing.assert_allclose(ours.sum(axis=1), 1, allowed)
    assert np.abs(ours - MODEL.probabilities(PIXELS)).max() > 0.01


@pytest.mark.parametrize("views", ["one", "mirrored", "six"])
def test_a_file_keeps_the_views(views: str, tmp_path: Path):
    model = dataclasses.replace(MODEL, views=views)
    save(tmp_path / "model.npz", [model, MODEL])
    loaded = load(tmp_path / "model.npz")
    assert loaded.views == views
    np.testing.assert_array_equal(loaded.probabilities(PIXELS), model.probabilities(PIXELS))


def test_a_file_from_before_views_has_one(tmp_path: Path):
    save(tmp_path / "new.npz", dataclasses.replace(MODEL, views="six"))
    arrays, about, _ = load_arrays(tmp_path / "new.npz")
    save_arrays(tmp_path / "old.npz", arrays, {k: v for k, v in about.items() if k != "views"})
    assert load(tmp_path / "old.npz").views == "one"


def test_an_exported_program_takes_all_views(tmp_path: Path):
    model = dataclasses.replace(MODEL, views="six")
    assert save_exported(tmp_path / "model.stablehlo", model) <= 1e-6
    exported = np.asarray(export_model(model).call(PIXELS))
    np.testing.assert_allclose(exported, model.probabilities(PIXELS), rtol=0, atol=1e-6)


def test_unknown_views_in_a_file_are_named(tmp_path: Path):
    path = tmp_path / "model.npz"
    save(path, dataclasses.replace(MODEL, views="seven"))
    with pytest.raises(UserError, match="views must be one of one, mirrored, six, got 'seven'"):
        load(path)
