import dataclasses

import numpy as np
import pytest

from ffnn_jax.config import Cutout, preset
from ffnn_jax.models import predict_probabilities
from ffnn_jax.optim import momentum
from ffnn_jax.training import Callbacks, HostImages, train
from ffnn_jax.training._snapshot import RunningMean
from tests.training.conftest import NETWORK, make_seed_data

OPTIMIZER = momentum(0.05)
SETTINGS = dataclasses.replace(preset("quickstart"), steps=50, batch_size=8, seed=5)


class Recorder(Callbacks):
    """Records the progress of a run."""

    def __init__(self):
        self.progress = []

    def on_progress(self, progress):
        self.progress.append(progress)


def run(images, optimizer=OPTIMIZER, callbacks=None, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    seeds_data = [make_seed_data(images, settings.seed + i) for i in range(settings.seeds)]
    return train(NETWORK, optimizer, settings, HostImages((images,)), seeds_data, callbacks)


def test_history_has_a_record_at_each_interval_and_at_the_end(images):
    records = run(images, validation_interval=20, seeds=2).history
    assert [(r.step, r.seed) for r in records] == [
        (20, 5), (20, 6), (40, 5), (40, 6), (50, 5), (50, 6),
    ]  # fmt: skip
    assert all(0 <= (r.validation_accuracy or 0) <= 1 for r in records)


def test_progress_reaches_the_last_step(images):
    recorder = Recorder()
    run(images, callbacks=recorder, validation_interval=20)
    reports = recorder.progress
    steps = [progress.step for progress in reports]
    assert steps == sorted(set(steps))
    assert steps[0] == 10
    assert steps[-1] == 50
    assert reports[0].validation_accuracy is None
    assert reports[-1].seconds_left == 0


def test_each_of_several_seeds_is_bitwise_equal_to_the_seed_alone(images):
    together = run(images, seeds=2).params
    for index, params in enumerate(together):
        alone = run(images, seed=5 + index).params[0]
        for name, layer in params.items():
            np.testing.assert_array_equal(layer["w"], alone[name]["w"])


def test_training_images_are_augmented_and_validation_images_are_not(images):
    """Eight validation images in batches of eight: every batch holds them all."""
    trained = run(images, augmentations=(Cutout(14),))
    (params,), last = trained.params, trained.history[-1]
    normalisation = make_seed_data(images, 5).normalisation
    probabilities = predict_probabilities(NETWORK, params, {}, normalisation, images.pixels[40:])
    assert last.validation_accuracy == np.mean(probabilities.argmax(axis=1) == images.labels[40:])
    assert last.loss > run(images).history[-1].loss + 0.05


def test_the_displayed_loss_includes_weight_decay(images):
    plain, decayed = (run(images, weight_decay=decay, steps=10).history for decay in (0.0, 5.0))
    assert decayed[0].loss > plain[0].loss + 1


def test_the_running_mean_averages_20_values_then_decays_by_0_995():
    values = np.random.default_rng(0).normal(size=50)
    mean = RunningMean()
    mean.add(values[:7])
    mean.add(values[7:20])
    assert mean.value == pytest.approx(values[:20].mean(), rel=1e-12)
    expected = values[:20].mean()
    for value in values[20:]:
        expected = 0.995 * expected + 0.005 * value
    mean.add(values[20:])
    assert mean.value == pytest.approx(expected, rel=1e-12)
