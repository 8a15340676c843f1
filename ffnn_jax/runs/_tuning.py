"""A learning rate found by a range test and short trials, and judged by validation images alone.

In the range test (Smith, arXiv:1506.01186) the rate grows exponentially with every step until the
validation loss rises to a multiple of its lowest value. That says where rates are too high, but
overrates those that only a few steps can bear. So rates below where the loss was lowest are tried
afresh, each for as many steps, with the settings' own schedule. The settings' own rate is, too.

The suggestion is the rate after whose trial the validation loss is lowest.
"""

import contextlib
import dataclasses
import json
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

_LOWEST, _HIGHEST = 1e-6, 10.0
_POINTS, _POINT_IMAGES = 50, 500
_MOST_HELD_OUT = 5000
_RISEN = 4.0  # times the lowest loss
_TRIED = (2.0, 1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)  # times the rate where the loss was lowest
_SMALLEST = 1e-30
Tell = Callable[[str, int, int], None]


@dataclasses.dataclass
class Tuning:
    """What was tried for a run's settings.

    Attributes:
        settings: the settings whose learning rate is tuned.
        steps: the steps of the range test, and of each trial.
        validation_images: the number of images that judge.
        curve: (learning rate, validation loss) pairs of the range test.
        trials: each one's learning_rate, with its validation_loss and validation_accuracy, or
            with what became infinite or NaN, as "diverged".
    """

    settings: Settings
    steps: int
    validation_images: int = 0
    curve: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    trials: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @property
    def suggestion(self) -> float | None:
        """The rate of the trial with the lowest validation loss; None before any is finite."""
        finite = [trial for trial in self.trials if "diverged" not in trial]
        best = min(finite, key=lambda trial: trial["validation_loss"], default=None)
        return best and best["learning_rate"]

    def to_json(self) -> dict[str, Any]:
        """The content of ``tune.json``."""
        return {
            "suggestion": self.suggestion, "steps": self.steps,
            "validation_images": self.validation_images, "trials": self.trials,
            "curve": self.curve, "settings": self.settings.to_json(),
        }  # fmt: skip


def tune(
    settings: Settings, splits: Splits, folder: Path, steps: int = 200,
    tell: Tell = lambda message, done, total: None,
) -> Tuning:  # fmt: skip
    """Finds a learning rate for a run; the folder has at any time what was tried so far.

    A fifth of the training images, at most 5,000, are held out if settings and data have no
    validation images. The test images are not used.

    Args:
        settings: the run's settings, of which the first seed is used.
        splits: its images.
        folder: where ``tune.json``, ``tune.png`` and ``settings.toml``, the settings with the
            suggested rate, are written.
        steps: the steps of the range test, and of each trial.
        tell: is told what is done, how many steps of it, and of how many.

    Raises:
        UserError: settings and data do not match.
        DivergedError: every trial diverged.
    """
    tuning = Tuning(dataclasses.replace(settings, seeds=1), steps)
    return _Tuner(tuning, splits, folder, tell).run()


class _Tuner:
    """Trains on the training images alone, and judges by the validation images alone."""

    def __init__(self, tuning: Tuning, splits: Splits, folder: Path, tell: Tell) -> None:
        settings, splits = tuning.settings, splits._replace(test=splits.train)  # none is in reach
        if splits.validation is None and settings.validation.chosen == "none":
            fifth = Validation("drawn", max(min(len(splits.train) // 5, _MOST_HELD_OUT), 1))
            settings = dataclasses.replace(settings, validation=fifth)
        self._settings, _, self._network = plan(settings, splits)
        self._tuning, self._folder, self._tell = tuning, folder, tell
        self._names, self._images = splits.train.class_names, training_images(splits)
        seed_data = seed_data_of(settings, splits, self._images, settings.seed)
        self._validation = seed_data.validation
        self._seed_data = seed_data._replace(validation=seed_data.validation[:0])
        tuning.validation_images = len(self._validation)

    def run(self) -> Tuning:
        tuning = self._tuning
        self._test_range()
        self._keep()
        lowest, _ = min(tuning.curve, key=lambda point: point[1], default=(_HIGHEST, None))
        rates = [float(f"{lowest * factor:.1e}") for factor in _TRIED]
        for rate in dict.fromkeys([tuning.settings.learning_rate, *rates]):
            tuning.trials.append({"learning_rate": rate} | self._try(rate))
            self._keep()
        if tuning.suggestion is None:
            raise DivergedError(f"every trial diverged; the last: {tuning.trials[-1]['diverged']}")
        return tuning

    def _test_range(self) -> None:
        """Records the curve until the loss has risen, or a number is not finite."""
        steps, curve, growth = self._tuning.steps, self._tuning.curve, _HIGHEST / _LOWEST
        few = self._validation[:: -(-len(self._validation) // _POINT_IMAGES)]

        def measure(step: int, snapshot: Callable[[], Snapshot]) -> None:
            state = snapshot().states[0]
            loss, _ = self._judge(state.params, state.state, few)
            curve.append((_LOWEST * growth ** ((step - 1) / steps), loss))
            if loss > _RISEN * min(loss for _, loss in curve):
                raise DivergedError(f"at learning rate {curve[-1][0]:g}, the loss has risen")

        shares = [n / steps for n in range(steps + 1)]
        growing = dataclasses.replace(
            _at(self._settings, _LOWEST), schedule="piecewise-linear",
            rate_points=tuple((share, growth**share) for share in shares),
        )  # fmt: skip
        with contextlib.suppress(DivergedError):
            self._train(growing, _Observer("range test", self._tell, -(-steps // _POINTS), measure))

    def _try(self, rate: float) -> dict[str, Any]:
        """What comes of training afresh at this rate."""
        observer = _Observer(f"learning rate {rate:g}", self._tell)
        try:
            trained = self._train(_at(self._settings, rate), observer)
        except DivergedError as divergence:
            return {"diverged": str(divergence)}
        loss, accuracy = self._judge(trained.params[0], trained.state[0], self._validation)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def _train(self, settings: Settings, callbacks: Callbacks) -> TrainingResult:
        settings = dataclasses.replace(settings, steps=self._tuning.steps)
        return train(
            self._network, optimizer_of(settings, self._network), settings, self._images,
            [self._seed_data], callbacks, not fits_on_device(self._images),
        )  # fmt: skip

    def _judge(self, params: Params, state: State, indices: np.ndarray) -> tuple[float, float]:
        """The loss and the accuracy over these images."""
        normalisation = self._seed_data.normalisation
        model = Model(self._network, params, state, normalisation, self._names)
        losses, hits = [], []
        with forms(self._settings.forms or ()):
            for chunk in self._images.in_chunks(indices):
                shares = model.probabilities(chunk.pixels)
                of_label = np.take_along_axis(shares, chunk.labels[:, None], axis=1)
                losses.append(-np.log(np.maximum(of_label, _SMALLEST)))
                hits.append(shares.argmax(axis=1) == chunk.labels)
        return float(np.mean(np.concatenate(losses))), float(np.mean(np.concatenate(hits)))

    def _keep(self) -> None:
        """Writes what was tried so far, each file whole or not at all."""
        from ffnn_jax.reporting import draw_tuning, save_figure

        tuning, rate = self._tuning, self._tuning.suggestion
        texts = {"tune.json": json.dumps(tuning.to_json(), indent=2) + "\n"}
        if rate is not None:
            texts["settings.toml"] = settings_to_text(_at(tuning.settings, rate))
        with writing(self._folder / "tune.png"):
            part = self._folder / ".part.png"
            save_figure(draw_tuning(tuning.curve, tuning.trials, rate), part)
            patiently(part.replace, self._folder / "tune.png")
            for name, text in texts.items():
                part.write_text(text, encoding="utf-8", newline="\n")
                patiently(part.replace, self._folder / name)


class _Observer(Callbacks):
    """Tells how far a training has come, and measures every few steps, whatever the stops."""

    def __init__(
        self, message: str, tell: Tell, every: int = sys.maxsize,
        measure: Callable[[int, Callable[[], Snapshot]], None] = lambda step, snapshot: None,
    ) -> None:  # fmt: skip
        self._message, self._tell, self._every, self._measure = message, tell, every, measure

    def next_stop(self, step: int) -> int:
        return (step // self._every + 1) * self._every

    def on_stop(self, step: int, steps: int, snapshot: Callable[[], Snapshot]) -> None:
        self._tell(self._message, step, steps)
        if step % self._every == 0:
            self._measure(step, snapshot)


def _at(settings: Settings, rate: float) -> Settings:
    """The settings at this learning rate; Muon's keeps its ratio to it."""
    muon_rate = settings.muon_rate * (rate / settings.learning_rate)
    return dataclasses.replace(settings, learning_rate=rate, muon_rate=muon_rate)
