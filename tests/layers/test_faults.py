"""The comparison can fail: a rule that is off by 0.01 % in one cotangent is rejected."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from ffnn_jax import layers
from ffnn_jax.catalogue import plain
from tests.layers.checking import assert_same_rule, distinct, normal


class Rule(NamedTuple):
    """An operation with its settings filled in, and how many of its arguments have cotangents."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    plain: Callable[..., Array]
    draw: Callable[[], list[Array]]


def drawn(*shapes: tuple[int, ...]) -> Callable[[], list[Array]]:
    return lambda: [normal(i, *shape) for i, shape in enumerate(shapes)]


def loss_forward(logits: Array) -> tuple[Array, Any]:
    return layers.softmax_cross_entropy_forward(logits, jnp.array([2, 0, 1]))


def loss_backward(residuals: Any, dloss: Array) -> tuple[Array]:
    return layers.softmax_cross_entropy_backward(residuals, dloss)[:1]


RULES = {
    "dense_column": Rule(
        layers.dense_column_forward,
        layers.dense_column_backward,
        plain.dense_column,
        drawn((5,), (5, 3), (3,)),
    ),
    "dense": Rule(
        layers.dense_forward, layers.dense_backward, plain.dense, drawn((6, 5), (5, 3), (3,))
    ),
    "relu": Rule(
        layers.relu_forward, layers.relu_backward, plain.relu, lambda: [distinct(0, 3, 4)]
    ),
    "softmax": Rule(layers.softmax_forward, layers.softmax_backward, plain.softmax, drawn((5, 4))),
    "softmax_cross_entropy": Rule(
        loss_forward,
        loss_backward,
        lambda x: plain.softmax_cross_entropy(x, jnp.array([2, 0, 1])),
        drawn((3, 4)),
    ),
    "conv2d": Rule(
        functools.partial(layers.conv2d_forward, padding=1, stride=2),
        functools.partial(layers.conv2d_backward, 1, 2),
        functools.partial(plain.conv2d, padding=1, stride=2),
        drawn((2, 5, 4, 1), (2, 3, 1, 3), (3,)),
    ),
    "max_pool": Rule(
        layers.max_pool_forward,
        functools.partial(layers.max_pool_backward, 2),
        plain.max_pool,
        lambda: [distinct(0, 1, 4, 5, 2)],
    ),
}
COTANGENTS = [
    (name, place)
    for name, count in zip(RULES, (3, 3, 1, 1, 1, 3, 1), strict=True)
    for place in range(count)
]


def scaled(rule: Rule, place: int, factor: float) -> Callable[..., Array]:
    """The operation wired anew, its cotangent number ``place`` multiplied by ``factor``."""

    def backward(residuals: Any, dz: Array) -> tuple[Array, ...]:
        cotangents = rule.backward(residuals, dz)
        return tuple(factor * d if i == place else d for i, d in enumerate(cotangents))

    layer = jax.custom_vjp(lambda *arguments: rule.forward(*arguments)[0])
    layer.defvjp(rule.forward, backward)
    return layer


@pytest.mark.parametrize(("name", "place"), COTANGENTS)
def test_a_cotangent_off_by_a_hundredth_of_a_percent_is_rejected(name, place):
    rule = RULES[name]
    assert_same_rule(scaled(rule, place, 1.0), rule.plain, rule.draw(), 64)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_same_rule(scaled(rule, place, 1.0001), rule.plain, rule.draw(), 64)
