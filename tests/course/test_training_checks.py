"""The checks of the chapter "training" pass its complete functions, and catch mistakes."""

import math

import jax
import numpy as np
import pytest

from ffnn_jax.course import _training
from ffnn_jax.course._training_checks import problem_of


def decayed_inside(velocity, w, gradient, rate, momentum, decay):
    velocity = momentum * velocity + (1 - momentum) * (gradient + decay * w)
    return velocity, w - rate * velocity


def changing_the_velocity(velocity, w, gradient, rate, momentum, decay):
    velocity *= momentum
    velocity += (1 - momentum) * gradient
    return velocity, w - rate * (velocity + decay * w)


def undamped(velocity, w, gradient, rate, momentum, decay):
    velocity = momentum * velocity + gradient
    return velocity, w - rate * (velocity + decay * w)


def mean_precision(confusion):
    return float(np.mean(np.diag(confusion) / np.maximum(np.sum(confusion, 0), 1)))


def recall_with_empty_classes(confusion):
    return float(np.mean(np.diag(confusion) / np.maximum(np.sum(confusion, 1), 1)))


MISTAKES = [
    ("momentum_update", decayed_inside, "momentum_update("),
    ("momentum_update", undamped, "momentum_update("),
    ("momentum_update", changing_the_velocity, "momentum_update changes what is passed in"),
    ("momentum_update", lambda *a: _training.momentum_update(*a)[::-1], "momentum_update("),
    ("mean_recall", mean_precision, "mean_recall("),
    ("mean_recall", recall_with_empty_classes, "mean_recall("),
    ("count_parameters", lambda p: len(jax.tree.leaves(p)), "count_parameters("),
    ("count_parameters", lambda p: math.prod(p["conv_1"]["w"].shape), "count_parameters("),
    ("digit_of_class", lambda index: index - 1, "digit_of_class("),
    ("digit_of_class", lambda index: index, "digit_of_class(10,)"),
    (
        "draw_batch",
        lambda g, n, b: g.integers(n, size=b),
        "draw_batch: an index is in a batch twice",
    ),
    ("draw_batch", lambda g, n, b: g.permutation(n - 1)[:b], "draw_batch: some images are never"),
    (
        "draw_batch",
        lambda g, n, b: 1 + g.permutation(n)[:b],
        "draw_batch: indices are counted",
    ),
    ("draw_batch", lambda g, n, b: np.arange(b), "draw_batch: every batch is the same"),
    ("draw_batch", lambda g, n, b: g.permutation(n), "draw_batch: a batch is not 5 integers"),
    ("draw_batch", lambda g, n, b: 2 * g.permutation(n)[:b], "draw_batch: an index is not that of"),
    (
        "draw_batch",
        lambda g, n, b: (g.integers(n) + np.arange(b)) % n,
        "draw_batch: a batch consists of neighbours",
    ),
    ("start_deviation", lambda shape: math.sqrt(2 / shape[-1]), "start_deviation("),
    ("start_deviation", lambda shape: math.sqrt(2 / shape[0]), "start_deviation("),
    (
        "draw_batch",
        lambda g, n, b: np.random.default_rng().permutation(n)[:b],
        "draw_batch: the same generator gives another batch",
    ),
]


@pytest.mark.parametrize("name", _training.__all__)
def test_the_complete_function_has_no_problem(name):
    assert problem_of(name, getattr(_training, name)) == ""


@pytest.mark.parametrize(("name", "wrong", "problem"), MISTAKES)
def test_a_mistake_is_a_problem(name, wrong, problem):
    assert problem_of(name, wrong).startswith(problem)


def test_a_compiled_function_is_right_in_float32():
    assert problem_of("momentum_update", jax.jit(_training.momentum_update)) == ""


def test_any_way_to_draw_without_repetition_is_right():
    assert problem_of("draw_batch", lambda g, n, b: list(g.permutation(n)[:b])) == ""
