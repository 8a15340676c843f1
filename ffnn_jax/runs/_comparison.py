"""Runs beside each other: which settings differ, and paired tests against the first of them."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from ffnn_jax.config import UserError
from ffnn_jax.data import Dataset, load_splits
from ffnn_jax.layers.fast import forms
from ffnn_jax.models import load
from ffnn_jax.runs._saved import SavedRun
from ffnn_jax.runs._statistics import holm, mcnemar_p, paired_p, spread

_MOST_SHOWN = 16
_ROUNDING = 1e-9
Answers = tuple[Dataset, Float[np.ndarray, "N K"]]


@dataclasses.dataclass(frozen=True)
class ImageTest:
    """McNemar's exact test of two models, each the best of its run by validation.

    Attributes:
        right, only: how many images each model has right, and how many it alone.
        adjusted: p, Holm-corrected for all comparisons made together.
        classes: name, images, and how many of them each model has right.
        shown: index, class, and both answers of the disagreements on which both are surest.
        pixels: these images.
    """

    model_seeds: tuple[int, int]
    images: int
    right: tuple[int, int]
    only: tuple[int, int]
    p: float
    adjusted: float
    classes: list[tuple[str, int, int, int]]
    disagreements: int
    shown: list[tuple[int, str, str, str]]
    pixels: UInt8[np.ndarray, "n H W C"]


@dataclasses.dataclass(frozen=True)
class SeedTest:
    """Student's paired t-test of test accuracies: second less first, and its 95 % interval."""

    seeds: list[int]
    difference: float
    low: float
    high: float
    p: float
    adjusted: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two runs, and how they were tested; a note says why a test was not possible."""

    names: tuple[str, str]
    images: ImageTest | None
    seeds: SeedTest | None
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """Everything but pixels, as JSON types."""
        fields = dataclasses.asdict(self)
        (fields["images"] or {}).pop("pixels", None)
        return fields


def comparison_to_json(runs: Sequence[SavedRun], pairs: Sequence[Pair]) -> dict[str, Any]:
    """The runs, the settings that differ with each run's value (– without one), and the tests."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    values = {key: [run.settings.get(key, "–") for run in runs] for key in keys}
    return {
        "runs": [run.to_json() for run in runs],
        "settings": {key: v for key, v in values.items() if any(one != v[0] for one in v)},
        "pairs": [pair.to_json() for pair in pairs],
    }


def compare_runs(runs: Sequence[SavedRun]) -> list[Pair]:
    """The first run against each of the others; finished ones classify their test images again."""
    answers = functools.cache(_answers)
    pairs = [_pair(runs[0], other, answers) for other in runs[1:]]
    return _corrected(_corrected(pairs, "images"), "seeds")


def _corrected(pairs: list[Pair], kind: str) -> list[Pair]:
    tests = [getattr(pair, kind) for pair in pairs]
    adjusted = holm({number: test.p for number, test in enumerate(tests) if test})
    for number, p in adjusted.items():
        test = dataclasses.replace(tests[number], adjusted=p)
        pairs[number] = dataclasses.replace(pairs[number], **{kind: test})
    return pairs


def _pair(first: SavedRun, second: SavedRun, answers: Callable[[SavedRun], Answers]) -> Pair:
    names, notes, images = (first.name, second.name), [], None
    reason = _untestable(first, second)
    if reason:
        return Pair(names, None, None, [reason])
    try:
        images = _test_images(first, second, answers)
    except UserError as error:
        notes.append(f"no test on the images: {error}")
    seeds = _test_seeds(first, second)
    if isinstance(seeds, str):
        return Pair(names, images, None, [*notes, f"no test over seeds: {seeds}"])
    return Pair(names, images, seeds, notes)


def _untestable(first: SavedRun, second: SavedRun) -> str | None:
    for run in (first, second):
        if run.result is None:
            was = "is still running" if run.state == "going on" else "did not finish"
            return f"no test: {run.name} {was}, so its predictions are not known"
    if first.tested_on[1] == second.tested_on[1]:
        return None
    each = (f"{run.name} on {run.tested_on[0]} {run.tested_on[1][:12]}" for run in (first, second))
    return f"no test: they were tested on different images, {' and '.join(each)}"


def _answers(run: SavedRun) -> Answers:
    """The test images, and the best model's probabilities, in the forms of the run."""
    own = {
        "size": run.settings.get("size"),
        "skip_damaged": run.settings.get("skip_damaged", False),
    }
    test, (name, digest) = load_splits(run.settings["dataset"], **own).test, run.tested_on
    if test.sha256 != digest:
        found = f"{test.sha256[:12]}, was {digest[:12]}"
        raise UserError(f"{name} is not the one on which {run.name} was tested (SHA-256 {found})")
    with forms(tuple((run.settings.get("forms") or {}).items())):
        return test, load(run.folder / "model.npz").probabilities(test.images)


def _test_images(
    first: SavedRun, second: SavedRun, answers: Callable[[SavedRun], Answers]
) -> ImageTest:
    test, names = answers(first)[0], answers(first)[0].class_names
    probabilities = [answers(run)[1] for run in (first, second)]
    a, b = predicted = [one.argmax(axis=1) for one in probabilities]
    right = [one == test.labels for one in predicted]
    only = int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0]))
    counts = (np.bincount(test.labels[one], minlength=len(names)) for one in (..., *right))
    surest = np.minimum(*(one.max(axis=1) for one in probabilities))
    differ = np.flatnonzero(a != b)
    shown = differ[np.argsort(-surest[differ], kind="stable")][:_MOST_SHOWN]
    p = mcnemar_p(*only)
    return ImageTest(
        model_seeds=(first.result["best_seed"], second.result["best_seed"]),  # type: ignore[index]
        images=len(test), right=(int(right[0].sum()), int(right[1].sum())), only=only,
        p=p, adjusted=p, disagreements=len(differ),
        classes=list(zip(names, *(one.tolist() for one in counts), strict=True)),
        shown=[(int(k), names[test.labels[k]], names[a[k]], names[b[k]]) for k in shown],
        pixels=test.images[shown],
    )  # fmt: skip


def _test_seeds(first: SavedRun, second: SavedRun) -> SeedTest | str:
    """Pairs the test accuracies of the seeds that both runs have; or says why that is no test."""
    by_seed = [
        dict(zip(result["seeds"], result["test_accuracy"], strict=True))
        for result in (first.result, second.result) if result
    ]  # fmt: skip
    seeds = sorted(by_seed[0].keys() & by_seed[1])
    if len(seeds) < 2:
        return "at least two seeds must be in both runs"
    differences = [by_seed[1][seed] - by_seed[0][seed] for seed in seeds]
    if np.ptp(differences) < _ROUNDING < abs(differences[0]):
        return f"all {len(seeds)} differ by {100 * differences[0]:+.2f} points, without a spread"
    _, mean, _, low, high = spread(differences)
    p = paired_p(differences)
    return SeedTest(seeds, mean, low, high, p, p)
