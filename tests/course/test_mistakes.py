"""Wrong functions of the chapter "training" are told apart."""

import numpy as np
import pytest

from ffnn_jax.course._mistakes import diagnose_function


def step(momentum_of=lambda mu: mu, inside=False, nesterov=False):
    def update(v, w, g, rate, mu, decay):
        mu = momentum_of(mu)
        v = mu * v + (1 - mu) * (g + decay * w if inside else g)
        return v, w - rate * (v if inside else v + decay * w)

    return update


def precision(confusion):
    return sum(confusion[k][k] / confusion[:, k].sum() for k in range(4)) / 4


def distinct(generator, images, size):
    return generator.permutation(images)[:size]


MISTAKES = [
    ("momentum_update", step(lambda mu: 0.995), "the momentum is 0.995"),
    ("momentum_update", step(inside=True), "weight decay is inside the average"),
    ("momentum_update", step(lambda mu: 1 - mu), "momentum and 1 - momentum are exchanged"),
    ("mean_recall", precision, "the axes are exchanged: that is the mean precision"),
    ("mean_recall", lambda c: np.trace(c) / np.sum(c), "that is the accuracy"),
    (
        "mean_recall",
        lambda c: np.mean(np.diag(c) / c.sum(1)),
        "a class without images makes it NaN",
    ),
    ("count_parameters", lambda p: p["conv"]["w"].size, "the biases are forgotten"),
    ("count_parameters", lambda p: 14_682, "was it typed by hand?"),
    ("digit_of_class", lambda index: index, "digit 0 is shown as class 10"),
    ("digit_of_class", lambda index: index - 1, "classes are counted from 0, not from 1"),
    ("draw_batch", lambda g, n, size: g.integers(0, n, size), "an index is in a batch twice"),
    ("draw_batch", lambda g, n, size: 1 + distinct(g, n, size), "counted from 1, not from 0"),
    ("draw_batch", lambda g, n, size: np.arange(size), "is the generator used?"),
    (
        "draw_batch",
        lambda g, n, size: (g.integers(n) + np.arange(size)) % n,
        "consists of neighbours",
    ),
    ("draw_batch", lambda g, n, size: distinct(g, n - 1, size), "never drawn, such as number 19"),
    ("draw_batch", lambda g, n, size: distinct(g, n, size - 1), "not 5 integers"),
    ("start_deviation", lambda s: (s[0] * s[1] * 3 / 2) ** -0.5, "that of three channels"),
]


@pytest.mark.parametrize(("name", "function", "words"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_a_mistake_is_told(name, function, words):
    found = diagnose_function(name, function)
    assert found.sure
    assert len(found.mistakes) == 1
    assert words in str(found)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("momentum_update", step()),
        ("mean_recall", lambda c: np.mean([c[k][k] / c[k].sum() for k in range(4) if c[k].sum()])),
        ("count_parameters", lambda p: p["conv"]["w"].size + p["conv"]["b"].size),
        ("digit_of_class", lambda index: 0 if index == 10 else index),
        ("draw_batch", distinct),
        ("start_deviation", lambda shape: (shape[0] * shape[1] * shape[2] / 2) ** -0.5),
        ("mean_recall", lambda c: 1 / 0),
    ],
)
def test_a_right_function_and_one_that_raises_match_no_mistake(name, function):
    found = diagnose_function(name, function)
    assert (str(found), found.sure) == ("no known mistake matches", False)
