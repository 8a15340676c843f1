"""Groups of parameters: factors of their own, and an end of their training."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ffnn_jax.optim import momentum, nesterov, scale_by_group, train_for
from tests.tolerances import SAME_ARITHMETIC

W = {"a": np.array([1.0, -2.0]), "b": np.array(3.0), "c": np.array([0.5])}


def trajectory(rule: Any, steps: int, alone: str | None = None) -> dict[str, np.ndarray]:
    """The parameters, or one of them alone, after each step of the gradient cos(w)."""
    w: Any = jax.tree.map(jnp.asarray, W if alone is None else {alone: W[alone]})

    def step(carry: Any, _: None) -> Any:
        w, state = carry
        updates, state = rule.update(jax.tree.map(jnp.cos, w), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    return jax.jit(lambda: jax.lax.scan(step, (w, rule.init(w)), None, length=steps)[1])()


def test_a_group_is_trained_as_long_as_said_and_then_stays():
    """Also its decay and what its momentum would still add stop, and the others go on."""
    rule, steps = momentum(0.1, 0.9, 0.05), {"a": 3, "b": 0, "c": 20}
    free = trajectory(rule, 20)
    ours = trajectory(optax.chain(rule, train_for(steps)), 20)
    np.testing.assert_allclose(ours["a"][:3], free["a"][:3], rtol=0, atol=SAME_ARITHMETIC)
    np.testing.assert_array_equal(ours["a"][3:], np.tile(ours["a"][2], (17, 1)))
    assert (np.abs(np.diff(ours["a"][:3], axis=0)) > 1e-3).all()
    np.testing.assert_array_equal(ours["b"], np.full(20, 3.0))
    np.testing.assert_allclose(ours["c"], free["c"], rtol=0, atol=SAME_ARITHMETIC)


def test_the_state_is_the_number_of_updates():
    rule: Any = train_for({"a": 1})
    state = rule.init({"a": W["a"]})
    assert state.dtype == jnp.int32
    for count in range(3):
        assert int(state) == count
        _, state = rule.update({"a": W["a"]}, state)


@pytest.mark.parametrize("name", ["a", "b"])
def test_after_a_rule_a_factor_multiplies_the_learning_rate(name):
    factors = {"a": 0.5, "b": 4.0, "c": 1.0}
    ours = trajectory(optax.chain(momentum(0.1, 0.9, 0.05), scale_by_group(factors)), 50)
    alone = trajectory(momentum(0.1 * factors[name], 0.9, 0.05), 50, name)
    np.testing.assert_allclose(ours[name], alone[name], rtol=0, atol=SAME_ARITHMETIC)


def test_before_nesterov_s_momentum_a_factor_leaves_the_decay_alone():
    """Here lambda / 64 at 64 times the rate is the same decay."""
    factors = {"a": 64.0, "b": 1.0, "c": 0.0}
    ours = trajectory(optax.chain(scale_by_group(factors), nesterov(1e-3, 0.85, 0.05)), 50)
    fast = trajectory(nesterov(0.064, 0.85, 0.05 / 64), 50, "a")
    np.testing.assert_allclose(ours["a"], fast["a"], rtol=0, atol=SAME_ARITHMETIC)
    plain = trajectory(nesterov(1e-3, 0.85, 0.05), 50, "b")
    np.testing.assert_allclose(ours["b"], plain["b"], rtol=0, atol=SAME_ARITHMETIC)
    assert 0 < ours["c"][-1, 0] < 0.5  # only decayed
