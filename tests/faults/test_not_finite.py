"""A non-finite number ends the run with exit code 3, and every checkpoint is finite."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import DivergedError
from ffnn_jax.models import load_arrays
from ffnn_jax.nn import Layer
from ffnn_jax.runs import CheckpointManager, compute
from tests.faults.conftest import TRAIN, Place
from tests.runs.test_checkpoints import SETTINGS, SPLITS
from tests.training.test_nan_check import FaultyRule, Root


def assert_finite(folder: Path) -> None:
    paths = list((folder / "checkpoints").glob("*.npz"))
    assert paths
    for path in paths:
        assert all(np.isfinite(array).all() for array in load_arrays(path)[0].values())


@pytest.mark.slow
@pytest.mark.faults("non-finite numbers")
def test_a_learning_rate_that_is_too_high(place: Place):
    words = ("--learning-rate", "1e6", "--run-dir", "diverged", "--checkpoint-every", "1")
    code, _, errors = place.finished(*TRAIN, *words)
    assert code == 3
    assert re.fullmatch(
        r"ffnn-jax: seed 0, step \d+: the output of \w+ has [\d,]+ of [\d,]+ numbers not finite"
        r"; a lower learning rate may help; to find the operation: "
        r"ffnn-jax train --resume diverged --debug-nans\n",
        errors,
    )
    assert_finite(place.folder / "diverged")
    code, _, errors_again = place.finished("train", "--resume", "diverged", "--debug-nans")
    assert code == 3
    first = errors.partition("; to find the operation")[0]
    assert re.fullmatch(
        rf"{re.escape(first)}; invalid value \(\w+\) encountered in \w+ \(\S+\.py:\d+\)\n",
        errors_again,
    )
    assert_finite(place.folder / "diverged")


@pytest.mark.faults("non-finite numbers")
@pytest.mark.parametrize(
    ("layer", "array"), [(Root(), "output of root_2"), (FaultyRule(), "gradient of conv_1/b")]
)
def test_a_faulty_custom_layer(tmp_path: Path, layer: Layer, array: str):
    first, _, *others = SETTINGS.layers
    settings = dataclasses.replace(SETTINGS, layers=(first, layer, *others))
    with pytest.raises(DivergedError, match=f"^seed 0, step 1: the {array} has "):
        compute(settings, SPLITS, callbacks=CheckpointManager(tmp_path))
    assert_finite(tmp_path)
