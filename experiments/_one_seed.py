"""One seed of some settings: trained, tested, and what is stored of it."""

import dataclasses
from typing import Any

from experiments._records import Record
from ffnn_jax.config import Settings


def run_seed(row: str, settings: Settings, seed: int, tested: bool = True) -> Record:
    """Trains one seed, and tests it unless told not to; returns what is stored of it."""
    return record_of(row, result_of(settings, seed, tested), tested)


def result_of(settings: Settings, seed: int, tested: bool = True) -> Any:
    """Trains one seed; without ``tested`` a training image stands in for the test images."""
    from ffnn_jax.data import load_splits
    from ffnn_jax.runs import compute, enable_compilation_cache

    enable_compilation_cache()
    settings = dataclasses.replace(settings, seed=seed, seeds=1)
    splits = load_splits(settings.dataset, train_images=settings.train_images)
    if not tested:
        splits = splits._replace(test=_first_of(splits.train))
    return compute(settings, splits, streaming=False)


def record_of(row: str, result: Any, tested: bool = True) -> Record:
    """What is stored of a seed."""
    from ffnn_jax.runs import device, versions

    (model,), trained = result.models, result.trained
    looked_at = result.splits if tested else result.splits[:2]
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
        "data_sha256": {part.name: part.sha256 for part in looked_at if part is not None},
        "parameters": model.network.summary().parameters,
        "versions": versions(),
        "device": device(),
    }


def _test_results(result: Any) -> dict[str, Any]:
    (confusion,) = result.confusions
    return {"test_accuracy": result.test_accuracy[0], "confusion": confusion.tolist()}


def _first_of(images: Any) -> Any:
    """Stands in for the test images where nothing may be read from them."""
    return dataclasses.replace(images, images=images.images[:1], labels=images.labels[:1])
