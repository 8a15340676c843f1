"""Nesterov's momentum: equations (nesterov.1)-(nesterov.3), against optax."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from ffnn_jax import optim
from tests.optim.test_momentum import decaying, max_difference, params, trajectory
from tests.tolerances import SAME_ARITHMETIC, tolerance


def nesterov(*options: Any) -> Any:
    """The rule itself, without its annotations (optax's unions over trees)."""
    return optim.nesterov(*options)


def chained(
    alpha: optax.ScalarOrSchedule, mu: float, decay: float, decayed: Any = None
) -> optax.GradientTransformation:
    """The same equations as a chain of optax transformations."""
    return optax.chain(
        optax.add_decayed_weights(decay, decayed),
        optax.trace(mu, nesterov=True),
        optax.scale_by_learning_rate(alpha),
    )


def test_nesterov_1_to_3_worked_by_hand():
    rule = nesterov(0.5, 0.5, 0.25)
    w, g = {"w": jnp.array([8.0])}, {"w": jnp.array([4.0])}
    updates, state = rule.update(g, rule.init(w), w)
    assert (state.m["w"].item(), updates["w"].item()) == (6.0, -4.5)
    updates, state = rule.update(g, state, w)
    assert (state.m["w"].item(), updates["w"].item(), state.step.item()) == (9.0, -5.25, 2)


@pytest.mark.parametrize("decayed", [None, {"w": True, "b": False}], ids=["all", "kernels"])
@pytest.mark.parametrize("alpha", [decaying(), 0.02], ids=["schedule", "constant"])
def test_equals_optax_over_200_steps(alpha, decayed):
    ours = trajectory(nesterov(alpha, 0.85, 0.05, decayed))
    theirs = trajectory(chained(alpha, 0.85, 0.05, decayed))
    assert max_difference(ours, theirs) <= SAME_ARITHMETIC


def test_defaults_are_mu_0_9_and_no_decay():
    ours, theirs = trajectory(nesterov(0.02), 5), trajectory(chained(0.02, 0.9, 0.0), 5)
    assert max_difference(ours, theirs) <= SAME_ARITHMETIC


def test_a_constant_gradient_gives_steps_1_over_1_minus_mu_times_as_long():
    w = {"w": jnp.array(1.0)}
    rule = nesterov(0.5, 0.75)
    updates, state = rule.update(w, rule.init(w), w)
    for _ in range(200):
        updates, state = rule.update(w, state, w)
    assert updates["w"].item() == pytest.approx(-0.5 / (1 - 0.75), rel=SAME_ARITHMETIC)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_updates_and_state_have_the_dtype_of_the_parameters(dtype):
    w = jax.tree.map(lambda a: a.astype(dtype), params())
    rule = nesterov(decaying(), 0.9, 0.05)
    updates, state = rule.update(w, rule.init(w), w)
    assert {leaf.dtype.name for leaf in jax.tree.leaves((updates, state.m))} == {dtype}
    wide = jax.tree.map(lambda a: a.astype("float64"), w)
    expected, _ = rule.update(wide, rule.init(wide), wide)
    actual = jax.tree.map(lambda a: a.astype("float64"), updates)
    assert max_difference(actual, expected) <= 2 * tolerance(dtype)


@pytest.mark.parametrize("mu", [-0.1, 1.0, float("nan")])
def test_mu_out_of_range_is_rejected(mu):
    with pytest.raises(ValueError, match="nesterov: mu must be at least 0 and below 1"):
        nesterov(0.1, mu)


@pytest.mark.parametrize("decay", [-0.1, float("inf"), float("nan")])
def test_weight_decay_out_of_range_is_rejected(decay):
    with pytest.raises(ValueError, match="nesterov: weight_decay must be at least 0"):
        nesterov(0.1, 0.9, decay)


def test_update_without_parameters_is_rejected():
    rule = nesterov(0.1)
    with pytest.raises(ValueError, match="nesterov: update needs params"):
        rule.update(params(), rule.init(params()))
