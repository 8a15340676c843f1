import dataclasses
import itertools
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax.config import Cutout, UserError, preset
from ffnn_jax.models import predict_probabilities
from ffnn_jax.optim import momentum
from ffnn_jax.training import Callbacks, HostImages, _loop, train
from ffnn_jax.training._snapshot import RunningMean, snapshot_from
from tests.training.conftest import NETWORK, make_seed_data

OPTIMIZER = momentum(0.05)
SETTINGS = dataclasses.replace(preset("quickstart"), steps=50, batch_size=8, seed=5)


class Recorder(Callbacks):
    """Records the progress and the records of a run."""

    def __init__(self):
        self.progress, self.records = [], []

    def on_record(self, record):
        self.records.append(record)

    def on_progress(self, progress):
        self.progress.append(progress)


def run(images, optimizer=OPTIMIZER, callbacks=None, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    seeds_data = [make_seed_data(images, settings.seed + i) for i in range(settings.seeds)]
    return train(NETWORK, optimizer, settings, HostImages((images,)), seeds_data, callbacks)


def test_history_has_a_record_at_each_interval_and_at_the_end(images):
    recorder = Recorder()
    records = run(images, callbacks=recorder, validation_interval=20, seeds=2).history
    assert recorder.records == records
    assert [(r.step, r.seed) for r in records] == [
        (20, 5), (20, 6), (40, 5), (40, 6), (50, 5), (50, 6),
    ]  # fmt: skip
    assert all(0 <= (r.validation_accuracy or 0) <= 1 for r in records)


def test_the_first_state_is_one_program_for_all_seeds(images, caplog):
    """The optimiser's zeros were a program for each shape, which delayed the first step."""
    with jax.log_compiles(), caplog.at_level("WARNING"):
        run(images, steps=1, seeds=2)
    compiled = [str(r.args[0]) for r in caplog.records if r.msg.startswith("Compiling") and r.args]
    before = compiled[: compiled.index("jit(chunk)")]
    assert before.count("jit(initial_state)") == 1
    assert "jit(broadcast_in_dim)" not in before


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


def test_times_count_from_the_end_of_compilation(images, monkeypatch):
    """With a clock that is read once a second, a stop is about two seconds' steps ahead."""
    clock = itertools.count(100.0)
    monkeypatch.setattr(_loop, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    recorder = Recorder()
    result = run(images, callbacks=recorder, seeds=2)
    first, second, *_ = recorder.progress
    assert (first.step, first.images_per_second) == (10, 2 * 10 * 8 / 2)
    assert first.seconds_left == 2 / 10 * 40
    assert (second.step, second.images_per_second) == (16, 2 * 16 * 8 / 4)
    assert result.compile_seconds == 1
    assert result.train_seconds == 2 * len(recorder.progress) + 1


def test_the_speed_of_a_resumed_run_is_that_since_it_was_resumed():
    ones = SimpleNamespace(value=1.0)
    runs: Any = [SimpleNamespace(loss=ones, accuracy=ones, validation_accuracy=None)] * 3
    progress = _loop._progress(runs, 30, 10, SETTINGS, 4.0)
    assert (progress.images_per_second, progress.seconds_left) == (3 * 20 * 8 / 4, 4 / 20 * 20)


@pytest.mark.parametrize(
    ("step", "spent", "stop"),
    [(0, 0, 10), (95, 0.1, 98), (98, 0.1, 100), (100, 0.1, 196), (110, 1.1, 196), (10, 20, 11),
     (104, 13, 120), (294, 0.1, 299)],
)  # fmt: skip
def test_no_chunk_crosses_a_multiple_of_its_length_or_a_validation(step, spent, stop):
    settings = dataclasses.replace(SETTINGS, steps=299, validation_interval=98)
    assert _loop._next_stop(step, 0, settings, 100, spent) == stop


def test_a_snapshot_of_another_run_is_rejected_with_the_first_five_arrays_that_differ():
    template = {f"w{i}": np.zeros(2) for i in range(7)}
    arrays = {f"seed_0/w{i}": np.zeros(2 if i == 0 else 3, np.float32) for i in range(6)}
    with pytest.raises(UserError) as caught:
        snapshot_from(arrays, {}, [template])
    first, *others = str(caught.value).split("; ")
    assert first == "from another run: seed_0/w0 is float32 (2,), not float64 (2,)"
    assert others[0] == "seed_0/w1 is float32 (3,), not float64 (2,)"
    assert len(others) == 4
    with pytest.raises(UserError, match=r"^from another run: seed_0/w6 is absent, not float64"):
        snapshot_from({f"seed_0/w{i}": np.zeros(2) for i in range(6)}, {}, [template])


@pytest.mark.cpu
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
