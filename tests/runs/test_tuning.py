"""A learning rate is found by validation images alone, and what was tried is kept."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from ffnn_jax.config import DivergedError, Settings, Validation, named_settings
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.nn import BatchNorm, Conv, Dense, ReLU
from ffnn_jax.runs import Tuning, _tuning, tune

NAMES = ("cat", "dog", "eel")
SETTINGS = Settings(
    preset="tiny", dataset="random", layers=(Dense(3),), steps=900, batch_size=8,
    learning_rate=1e3, momentum=0.0, weight_decay=0.0, validation=Validation("none"), seed=3,
)  # fmt: skip


def images(name: str, count: int = 150) -> Dataset:
    """Images whose brightest column says their class, in the order of the classes."""
    labels = (np.arange(count) * 3 // count).astype(np.int32)
    pixels = np.random.default_rng(count).integers(0, 150, (count, 5, 3, 1))
    pixels[np.arange(count), :, labels] += 100
    return Dataset(f"random/{name}", pixels.astype(np.uint8), labels, NAMES)


@pytest.fixture(autouse=True)
def _figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn, but written as nothing, in a moment."""
    monkeypatch.setattr("ffnn_jax.reporting.save_figure", lambda figure, path: path.touch())


@pytest.fixture
def few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trial compiles a program."""
    monkeypatch.setattr(_tuning, "_TRIED", (1 / 4,))
    monkeypatch.setattr(_tuning, "_MOST_TRIALS", 3)


class OutOfReach:
    """Images that may not even be looked at."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"the test images' {name}")


TEST: Any = OutOfReach()
SPLITS = Splits(images("train"), None, TEST)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuning, Path]:
    folder = tmp_path_factory.mktemp("tuned")
    return tune(SETTINGS, SPLITS, folder, 40), folder


def test_a_good_rate_is_found_from_a_bad_one_and_what_was_tried_is_kept(tuned):
    tuning, folder = tuned
    assert tuning.validation_images == 30  # a fifth, since there are no others
    by_rate = {trial["learning_rate"]: trial for trial in tuning.trials}
    assert by_rate[tuning.suggestion]["validation_accuracy"] > 0.95
    assert tuning.trials[0]["learning_rate"] == 1e3 and len(by_rate) == len(tuning.trials) >= 7
    assert {path.name for path in folder.iterdir()} == {"settings.toml", "tune.json", "tune.png"}
    kept = json.loads((folder / "tune.json").read_text())
    assert kept == json.loads(json.dumps(dataclasses.asdict(tuning)))
    suggested, _ = named_settings(str(folder / "settings.toml"))
    muon_rate = SETTINGS.muon_rate * (tuning.suggestion / 1e3)
    assert suggested == dataclasses.replace(
        SETTINGS, learning_rate=tuning.suggestion, muon_rate=muon_rate
    )


def test_the_suggestion_is_the_lowest_within_a_standard_error_of_the_best(tuned):
    tuning, _ = tuned
    trials = [trial for trial in tuning.trials if "diverged" not in trial]
    best = min(trials, key=lambda trial: trial["validation_loss"])
    for trial in trials:
        excess = trial["validation_loss"] - best["validation_loss"]
        if trial["learning_rate"] < tuning.suggestion:
            assert excess > best["standard_error"]
        if trial["learning_rate"] == tuning.suggestion:
            assert excess <= best["standard_error"]


def test_the_curve_is_over_rates_that_grow_exponentially_until_the_loss_has_risen(tuned):
    rates, losses = zip(*tuned[0].curve, strict=True)
    assert rates[0] == pytest.approx(1e-6)
    np.testing.assert_allclose(np.diff(np.log10(rates)), 7 / 40)
    for last in range(1, len(losses)):
        assert losses[last] <= 4 * min(losses[:last]) or last == len(losses) - 1


@pytest.mark.usefixtures("few_trials")
def test_the_same_seed_gives_the_same(tuned, tmp_path: Path):
    again = tune(SETTINGS, SPLITS, tmp_path, 40)
    assert again.curve == tuned[0].curve
    assert all(trial in tuned[0].trials for trial in again.trials[:2])


@pytest.mark.usefixtures("few_trials")
def test_the_suggestion_is_below_the_limit_of_stability(tuned, tmp_path: Path):
    """Weight decay is the quadratic decay/2 w^2: w -> (1 - rate decay) w grows above 2 / decay."""
    decay, limit = 100.0, 2 / 100
    tuning = tune(dataclasses.replace(SETTINGS, weight_decay=decay), SPLITS, tmp_path, 40)
    assert tuning.suggestion is not None
    assert tuning.suggestion < limit < tuned[0].suggestion
    beyond = [trial for trial in tuning.trials if trial["learning_rate"] > 1.2 * limit]
    assert beyond
    for trial in beyond:
        assert "diverged" in trial or trial["validation_loss"] > 10


@pytest.mark.usefixtures("few_trials")
def test_validation_images_judge_and_are_not_trained_on(tmp_path: Path):
    """With the labels of other classes, training that separates the classes is judged as wrong."""
    own = images("validation", 60)
    own = dataclasses.replace(own, labels=(own.labels + 1) % np.int32(3))
    tuning = tune(SETTINGS, Splits(images("train"), own, TEST), tmp_path, 40)
    accuracies = [
        trial["validation_accuracy"] for trial in tuning.trials if "diverged" not in trial
    ]
    assert tuning.validation_images == 60
    assert min(accuracies) < 0.1
    assert max(accuracies) < 0.5  # and those that learnt nothing guess


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"optimizer": "nesterov", "schedule": "triangular", "group_rates": (("norm", 8.0),),
             "lookahead": 3, "precision": "bf16", "sampling": "epochs"},
            marks=pytest.mark.slow,
        ),
        {"optimizer": "muon", "schedule": "piecewise-linear", "rate_points": ((0, 1), (1, 0)),
         "group_steps": (("norm", 9),)},
    ],
)  # fmt: skip
@pytest.mark.usefixtures("few_trials")
def test_every_optimiser_and_schedule_is_tuned(changes: dict[str, Any], tmp_path: Path):
    layers = Conv(4, 3), BatchNorm(), ReLU(), Dense(3)
    settings = dataclasses.replace(SETTINGS, layers=layers, muon_rate=3e3, **changes)
    tuning = tune(settings, SPLITS, tmp_path, 20)
    suggested, _ = named_settings(str(tmp_path / "settings.toml"))
    rates = {"learning_rate": tuning.suggestion, "muon_rate": suggested.muon_rate}
    assert suggested == dataclasses.replace(settings, **rates)
    times = suggested.learning_rate / 1e3 if settings.optimizer == "muon" else 1
    assert suggested.muon_rate == pytest.approx(3e3 * times)
    assert suggested.learning_rate < 100


@pytest.mark.parametrize(("least_loss_at", "beyond"), [(8.0, [4.0]), (0.01, [0.25]), (1.0, [])])
def test_trials_go_on_beyond_the_end_that_is_best(least_loss_at: float, beyond: list[float]):
    """After trials at 1, 2 and 0.5, of a loss that is lowest at a known rate."""
    tuning = Tuning(20, 60)
    for rate in (1.0, 2.0, 0.5):
        loss = abs(math.log(rate / least_loss_at))
        trial = {"learning_rate": rate, "validation_loss": loss, "standard_error": 0.01}
        tuning.trials.append(trial)
    tuning.suggestion = _tuning._suggestion(tuning.trials)
    assert _tuning._beyond(tuning) == beyond


@pytest.mark.usefixtures("few_trials")
def test_where_every_trial_diverges_it_is_said_and_kept(tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, weight_decay=1e37)
    with pytest.raises(DivergedError, match=r"^every trial diverged; the last: seed 3, step "):
        tune(settings, SPLITS, tmp_path, 20)
    kept = json.loads((tmp_path / "tune.json").read_text())
    assert kept["suggestion"] is None
    assert all("diverged" in trial for trial in kept["trials"]) and len(kept["trials"]) == 3
    assert not (tmp_path / "settings.toml").exists()


@pytest.mark.usefixtures("few_trials")
def test_what_was_tried_before_an_end_is_kept(tmp_path: Path):
    told = []

    def tell(message: str, done: int, total: int) -> None:
        told.append((message, total))
        if len(dict(told)) == 3:  # in the second trial
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(SETTINGS, SPLITS, tmp_path, 20, tell)
    kept = json.loads((tmp_path / "tune.json").read_text())
    assert list(dict(told))[:2] == ["range test", "learning rate 1000"]
    assert len(kept["trials"]) == 1
    assert named_settings(str(tmp_path / "settings.toml"))[0].learning_rate == kept["suggestion"]
