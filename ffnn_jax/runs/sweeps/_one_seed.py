"""One seed of some settings: training, testing, and its stored record."""

import dataclasses
from typing import Any

from ffnn_jax.config import Settings
from ffnn_jax.runs.sweeps._records import Record


def run_seed(row: str, settings: Settings, seed: int, tested: bool = True) -> Record:
    """Trains one seed, tests it if ``tested``, and returns its record."""
    return record_of(row, train_seed(settings, seed, tested), tested)


def train_seed(settings: Settings, seed: int, tested: bool = True) -> Any:
    """Trains one seed; unless ``tested``, a training image stands in for the test images.

    Without named forms they are the usual ones, which every processor repeats bit for bit.
    """
    from ffnn_jax.data import load_splits
    from ffnn_jax.runs import compute, enable_compilation_cache

    enable_compilation_cache()
    settings = dataclasses.replace(settings, seed=seed, seeds=1, forms=settings.forms or ())
    splits = load_splits(settings.dataset, train_images=settings.train_images)
    if not tested:
        splits = splits._replace(test=_first_image(splits.train))
    return compute(settings, splits, streaming=False)


def record_of(row: str, result: Any, tested: bool = True) -> Record:
    """The stored record of a seed; those of seeds 0 and 1 have a digit for each test image."""
    from ffnn_jax.runs import device, versions

    (model,), trained = result.models, result.trained
    used = result.splits if tested else result.splits[:2]
    return {
        "row": row,
        "seed": result.settings.seed,
        **(_test_results(result) if tested else {}),
        "validation_accuracy": result.validation_accuracy[0],
        "train_accuracy": result.train_accuracy[0],
        "parameters_sha256": model.parameters_sha256,
        "history": [list(record)[1:] for record in trained.history],
        "compile_seconds": round(trained.compile_seconds, 2),
        "train_seconds": round(trained.train_seconds, 2),
        "settings": result.settings.to_json(),
        "data_sha256": {part.name: part.sha256 for part in used if part is not None},
        "parameters": model.network.summary().parameters,
        "versions": versions(),
        "device": device(),
    }


def _test_results(result: Any) -> dict[str, Any]:
    (confusion,), (model,), test = result.confusions, result.models, result.splits.test
    found = {"test_accuracy": result.test_accuracy[0], "confusion": confusion.tolist()}
    if result.settings.seed < 2 and len(confusion) <= 10:
        found["predicted"] = "".join(map(str, result.test_predicted[0]))
    if model.views == "one":
        return found
    plain = dataclasses.replace(model, views="one").predict(test.images)
    return {**found, "plain_test_accuracy": float((plain == test.labels).mean())}


def _first_image(images: Any) -> Any:
    """One image that stands in for the test images where those must not be read."""
    return dataclasses.replace(images, images=images.images[:1], labels=images.labels[:1])
