"""What is said of a run that learnt nothing; ``experiments/healthy_runs.py`` tries 220 runs."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from ffnn_jax.config import Settings, Validation
from ffnn_jax.nn import Constant, Dense, Param, ReLU, Shape, Tree
from ffnn_jax.runs import compute, result_to_json
from ffnn_jax.runs._result import problem_of
from tests.runs.test_compute import SPLITS

RIGHT, WRONG = np.diag([80, 80, 80, 80]), np.full((4, 4), 25)
FALLING = [1.6, 1.2, 0.9]


def only(predicted: int, images: Any = (100, 100, 100, 100)) -> np.ndarray:
    """Every image is taken for one class."""
    confusion = np.zeros((len(images), len(images)), int)
    confusion[:, predicted] = images
    return confusion


@pytest.mark.parametrize(
    ("confusion", "losses"),
    [
        (RIGHT + 20, FALLING),
        (RIGHT + 20, [3.0]),  # a few steps: the mean over them is still high
        (RIGHT + 20, [3.0, 2.5]),
        (WRONG + np.diag([12] * 4), FALLING),
        (np.array([[300, 20], [40, 10]]) + np.diag([0, 30]), [0.6]),
        (np.array([[50]]), [0.0]),
        (only(0, (100, 0)), [0.1]),
    ],
)
def test_nothing_is_said_of_a_run_that_learnt(confusion, losses):
    assert problem_of(confusion, losses) is None


@pytest.mark.parametrize(
    ("confusion", "losses", "said"),
    [
        (only(2), FALLING, "one class is predicted for all test images; try a lower"),
        (only(0, (300, 50)), [0.5], "one class is predicted"),
        (WRONG, FALLING, "the test accuracy is that of guessing; try another --learning-rate"),
        (WRONG + np.diag([8] * 4), FALLING, "the test accuracy is that of guessing"),
        (WRONG + np.diag([9] * 4), [1.4], "the loss is not below that of guessing, log 4"),
        (RIGHT + 20, [1.5, 1.5], "the loss is not below that of guessing, log 4"),
        (RIGHT + 20, [3.0, 80.0], "the loss is not below"),
        (np.array([[300, 20], [45, 4]]), [0.6], "the test accuracy is that of guessing"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_try(confusion, losses, said):
    problem = problem_of(confusion, losses)
    assert problem is not None
    assert problem.startswith(said)
    assert "--" in problem


def test_a_dead_layer_is_named_first():
    problem = problem_of(only(1), [9.0], dead="relu_2")
    assert problem == "every output of relu_2 is 0; try a lower --learning-rate or another --seed"


@dataclasses.dataclass(frozen=True)
class DeadDense(Dense):
    """A dense layer whose biases are so low that the ReLU after it is dead."""

    def weights(self, shape: Shape) -> Tree:
        return super().weights(shape) | {"b": Param(shape[-1:], Constant(-1e6))}


@pytest.mark.parametrize("first", [Dense, DeadDense])
def test_a_result_warns_of_the_seeds_that_learnt_nothing(first):
    layers = (first(8), ReLU(), Dense(3))
    settings = Settings(
        "tiny", "random", layers, steps=300, batch_size=16, seeds=2, seed=4, weight_decay=0.0,
        validation=Validation("drawn", 3), normalisation="channel-mean-sd",
    )  # fmt: skip
    result = compute(settings, SPLITS)
    dead = "learnt nothing: every output of relu_2 is 0; try a lower --learning-rate"
    expected = [f"seed {seed} {dead} or another --seed" for seed in (4, 5)]
    assert result.warnings == (expected if first is DeadDense else [])
    assert json.loads(json.dumps(result_to_json(result)))["warnings"] == result.warnings
