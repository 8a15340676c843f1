"""A learning rate found by a range test and short trials, and judged by validation images alone.

In the range test (Smith, arXiv:1506.01186) the rate grows exponentially with the steps until the
validation loss is a multiple of its lowest value. That overrates rates that only a few steps can
bear. So the settings' own rate is tried, then twice the rate where the loss was lowest, half of it,
and so on, and beyond either end while it is the best: each trains afresh for as many steps, with
the settings' own schedule.

The suggestion is the lowest rate after whose trial the validation loss is at most one standard
error above the lowest: few steps favour high rates, and a run has more.
"""

import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ffnn_jax._files import patiently
from ffnn_jax.config import DivergedError, Settings, Validation, settings_to_text
from ffnn_jax.data import Splits
from ffnn_jax.layers.fast import forms
from ffnn_jax.models import Model
from ffnn_jax.network import Params, State
from ffnn_jax.runs._compute import optimizer_of, plan, seed_data_of, training_images
from ffnn_jax.runs._folder import writing
from ffnn_jax.training import Callbacks, Snapshot, TrainingResult, fits_on_device, train

_LOWEST, _GROWTH = 1e-6, 1e7  # the first rate of the range test, and the last over the first
_POINTS, _POINT_IMAGES, _TRIAL_IMAGES = 50, 500, 5000
_RISEN = 4.0  # times the lowest loss
_TRIED = (2.0, 1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)  # times the rate where the loss was lowest
_MOST_TRIALS = 12
_SMALLEST = 1e-30
Tell = Callable[[str, int, int], None]


@dataclasses.dataclass
class Tuning:
    """What was tried: (learning rate, validation loss) pairs of the range test, and trials.

    Each trial has its learning_rate, and validation_loss with its standard_error and
    validation_accuracy, or "diverged" with what became infinite or NaN.
    """

    steps: int
    validation_images: int
    suggestion: float | None = None
    trials: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    curve: list[tuple[float, float]] = dataclasses.field(default_factory=list)


def tune(
    settings: Settings, splits: Splits, folder: Path, steps: int = 200,
    tell: Tell = lambda message, done, total: None,
) -> Tuning:  # fmt: skip
    """Finds a learning rate for a run of the first seed, without the test images.

    If there are no validation images, a fifth of those for training are held out, at most 5,000.

    Args:
        settings: the settings of the run.
        splits: its images.
        folder: gets what was tried, as it comes: ``tune.json``, ``tune.png``, and ``settings.toml``
            with the suggested rate.
        steps: the steps of the range test, and of each trial.
        tell: is told what is done, how many of its steps, and of how many.

    Raises:
        UserError: settings and data do not match.
        DivergedError: every trial diverged.
    """
    out_of_reach = splits._replace(test=splits.train)
    tuner = _Tuner(settings, out_of_reach, steps, tell)
    tuning = tuner.tuning
    tuner.test_range()
    tuner.draw(folder)
    best, _ = min(tuning.curve, key=lambda point: point[1], default=(_LOWEST * _GROWTH, None))
    rates = [settings.learning_rate, *(_rounded(best * factor) for factor in _TRIED)]
    rates = list(dict.fromkeys(rates))
    for rate in rates:
        tuning.trials.append({"learning_rate": rate} | tuner.try_rate(rate))
        tuning.suggestion = _suggestion(tuning.trials)
        tuner.keep(folder)
        if rate == rates[-1] and len(rates) < _MOST_TRIALS:
            rates += _beyond(tuning)
    tuner.draw(folder)
    if tuning.suggestion is None:
        raise DivergedError(f"every trial diverged; the last: {tuning.trials[-1]['diverged']}")
    return tuning


class _Tuner:
    def __init__(self, settings: Settings, splits: Splits, steps: int, tell: Tell) -> None:
        self._given = self._settings = dataclasses.replace(settings, seeds=1)
        if splits.validation is None and settings.validation.chosen == "none":
            fifth = Validation("drawn", max(min(len(splits.train) // 5, _TRIAL_IMAGES), 1))
            self._settings = dataclasses.replace(self._settings, validation=fifth)
        self._settings, _, self._network, _ = plan(self._settings, splits)
        self._names, self._images = splits.train.class_names, training_images(splits)
        data = seed_data_of(self._settings, splits, self._images, settings.seed)
        self._seed_data = data._replace(validation=data.validation[:0])
        self._validation, self._tell = _spread(data.validation, _TRIAL_IMAGES), tell
        self.tuning = Tuning(steps, len(self._validation))

    def test_range(self) -> None:
        """Records the curve until the loss has risen, or a number is not finite."""
        steps, curve = self.tuning.steps, self.tuning.curve
        few = _spread(self._validation, _POINT_IMAGES)

        def measure(step: int, snapshot: Callable[[], Snapshot]) -> None:
            state = snapshot().states[0]
            loss = float(np.mean(self._judge(state.params, state.state, few)[0]))
            curve.append((_LOWEST * _GROWTH ** ((step - 1) / steps), loss))
            if loss > _RISEN * min(loss for _, loss in curve):
                raise DivergedError(f"the loss has risen at learning rate {curve[-1][0]}")

        points = tuple((n / steps, _GROWTH ** (n / steps)) for n in range(steps + 1))
        growing = {"schedule": "piecewise-linear", "rate_points": points}
        with contextlib.suppress(DivergedError):
            observer = _Observer("range test", self._tell, -(-steps // _POINTS), measure)
            self._train(dataclasses.replace(_at(self._settings, _LOWEST), **growing), observer)

    def try_rate(self, rate: float) -> dict[str, Any]:
        """What comes of training afresh at this rate."""
        try:
            observer = _Observer(f"learning rate {rate:g}", self._tell)
            trained = self._train(_at(self._settings, rate), observer)
        except DivergedError as divergence:
            return {"diverged": str(divergence)}
        losses, hits = self._judge(trained.params[0], trained.state[0], self._validation)
        return {
            "validation_loss": float(np.mean(losses)),
            "standard_error": float(np.std(losses) / np.sqrt(len(losses))),
            "validation_accuracy": float(np.mean(hits)),
        }

    def _train(self, settings: Settings, callbacks: Callbacks) -> TrainingResult:
        settings = dataclasses.replace(settings, steps=self.tuning.steps)
        return train(
            self._network, optimizer_of(settings, self._network), settings, self._images,
            [self._seed_data], callbacks, not fits_on_device(self._images),
        )  # fmt: skip

    def _judge(self, params: Params, state: State, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each of these images, and whether it is classified correctly."""
        normalisation, images = self._seed_data.normalisation, self._images.at(of)
        model = Model(self._network, params, state, normalisation, self._names)
        with forms(self._settings.forms or ()):
            shares = model.probabilities(images.pixels)
        of_label = np.fmax(shares[np.arange(len(shares)), images.labels], _SMALLEST)
        return -np.log(of_label), shares.argmax(axis=1) == images.labels

    def keep(self, folder: Path) -> None:
        """Writes what was tried so far, each file whole or not at all."""
        texts = {"tune.json": json.dumps(dataclasses.asdict(self.tuning), indent=2)}
        if (rate := self.tuning.suggestion) is not None:
            texts["settings.toml"] = settings_to_text(_at(self._given, rate))
        for name, text in texts.items():
            with writing(folder / name):
                (folder / ".part").write_text(text, encoding="utf-8", newline="\n")
                patiently((folder / ".part").replace, folder / name)

    def draw(self, folder: Path) -> None:
        """Draws what was tried so far."""
        from ffnn_jax.reporting import draw_tuning, save_figure

        self.keep(folder)
        tuning = self.tuning
        with writing(folder / "tune.png"):
            figure = draw_tuning(tuning.curve, tuning.trials, tuning.suggestion)
            save_figure(figure, folder / "tune.png")


@dataclasses.dataclass
class _Observer(Callbacks):
    """Tells how far a training is, and measures every few steps, wherever else it stops."""

    message: str
    tell: Tell
    every: int = sys.maxsize
    measure: Callable[[int, Callable[[], Snapshot]], None] = lambda step, snapshot: None

    def next_stop(self, step: int) -> int:
        return (step // self.every + 1) * self.every

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        self.tell(self.message, step, steps)
        if step % self.every == 0:
            self.measure(step, snapshot)


def _beyond(tuning: Tuning) -> list[float]:
    """Half the lowest rate tried where it is suggested, or twice the highest where it is best."""
    rates = [trial["learning_rate"] for trial in tuning.trials]
    if tuning.suggestion in (min(rates), None):
        return [_rounded(min(rates) / 2)]
    best = min(tuning.trials, key=lambda trial: trial.get("validation_loss", math.inf))
    return [_rounded(2 * max(rates))] if best["learning_rate"] == max(rates) else []


def _suggestion(trials: list[dict[str, Any]]) -> float | None:
    """The lowest rate among the best; None before any trial has ended without diverging."""
    ended = [trial for trial in trials if "diverged" not in trial]
    best = min(ended, key=lambda trial: trial["validation_loss"], default={})
    most = best.get("validation_loss", 0.0) + best.get("standard_error", 0.0)
    good = (trial["learning_rate"] for trial in ended if trial["validation_loss"] <= most)
    return min(good, default=None)


def _rounded(rate: float) -> float:
    return float(f"{rate:.1e}")


def _spread(indices: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the indices, evenly spread: images may be ordered by class."""
    return indices[:: -(-len(indices) // most)]


def _at(settings: Settings, rate: float) -> Settings:
    """The settings at this learning rate; Muon's, where it is used, keeps its ratio to it."""
    muon = settings.optimizer == "muon"
    factor = rate / settings.learning_rate if muon else 1.0
    return dataclasses.replace(settings, learning_rate=rate, muon_rate=factor * settings.muon_rate)
