"""One seed: a candidate sees no test image, and testing changes nothing."""

from typing import Any

import numpy as np
import pytest

from ffnn_jax.data import Splits, load_splits
from ffnn_jax.runs.sweeps import run_seed
from tests.runs.sweeps.small import SMALL


def test_a_candidate_sees_no_test_image(monkeypatch: pytest.MonkeyPatch):
    splits = load_splits("mnist_5k")

    class Untouchable:
        image_shape = splits.test.image_shape

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"a candidate accessed the test images' {name}")

    def guarded(*_: Any, **__: Any) -> Any:
        return Splits(splits.train, splits.validation, Untouchable())  # type: ignore[arg-type]

    monkeypatch.setattr("ffnn_jax.data.load_splits", guarded)
    record = run_seed("candidate", SMALL, 0, tested=False)
    assert {"test_accuracy", "confusion"}.isdisjoint(record)
    assert 0 <= record["validation_accuracy"] <= 1


def test_a_seed_is_the_same_tested_or_not():
    tested, untested = (run_seed("some", SMALL, 3, tested) for tested in (True, False))
    for name in ("parameters_sha256", "validation_accuracy", "train_accuracy", "history"):
        assert tested[name] == untested[name]
    assert tested["data_sha256"].items() > untested["data_sha256"].items()
    correct = np.trace(tested["confusion"])
    assert tested["test_accuracy"] == correct / np.sum(tested["confusion"])
