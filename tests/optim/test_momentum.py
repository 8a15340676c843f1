from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ffnn_jax import optim
from ffnn_jax.optim import MomentumState, decay_loss
from tests.tolerances import SAME_ARITHMETIC, tolerance


def momentum(*options: Any) -> Any:
    """The rule itself, without its annotations (optax's unions over trees)."""
    return optim.momentum(*options)


def params() -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    return {"w": jnp.asarray(rng.normal(size=(3, 4))), "b": jnp.asarray(rng.normal(size=4))}


def decaying() -> optax.Schedule:
    return optax.exponential_decay(0.3, transition_steps=10, decay_rate=0.8)


def chained(alpha: optax.ScalarOrSchedule, mu: float, decay: float) -> optax.GradientTransformation:
    """Equations (24) and (25) as a chain of optax transformations."""
    return optax.chain(
        optax.ema(mu, debias=False),
        optax.add_decayed_weights(decay),
        optax.scale_by_learning_rate(alpha),
    )


def trajectory(rule: optax.GradientTransformation, steps: int = 200) -> Any:
    """The parameters after each step on a quadratic that changes at every step."""

    def step(carry: Any, target: Any) -> Any:
        w, state = carry
        grads = jax.tree.map(lambda a, t: a - t, w, target)
        updates, state = rule.update(grads, state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    rng = np.random.default_rng(1)
    targets = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=(steps, *a.shape))), params())
    return jax.jit(lambda w: jax.lax.scan(step, (w, rule.init(w)), targets)[1])(params())


def max_difference(a: Any, b: Any) -> float:
    differences = jax.tree.map(lambda a, b: jnp.max(jnp.abs(a - b)), a, b)
    return float(max(jax.tree.leaves(differences)))


def test_moving_average_24_and_step_25_worked_by_hand():
    rule = momentum(0.5, 0.75, 0.25)
    w, g = {"w": jnp.array([8.0])}, {"w": jnp.array([4.0])}
    updates, state = rule.update(g, rule.init(w), w)
    assert (state.m["w"].item(), updates["w"].item()) == (1.0, -1.5)
    updates, state = rule.update(g, state, w)
    assert (state.m["w"].item(), updates["w"].item()) == (1.75, -1.875)


@pytest.mark.parametrize("alpha", [decaying(), 0.1], ids=["schedule", "constant"])
@pytest.mark.parametrize("decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.05])
def test_equals_optax_over_200_steps(alpha, decay):
    """(24) and (25)."""
    ours, theirs = trajectory(momentum(alpha, 0.9, decay)), trajectory(chained(alpha, 0.9, decay))
    assert max_difference(ours, theirs) <= SAME_ARITHMETIC


def test_weight_decay_25_is_outside_the_moving_average():
    inside = optax.chain(
        optax.add_decayed_weights(0.05),
        optax.ema(0.9, debias=False),
        optax.scale_by_learning_rate(0.1),
    )
    ours = trajectory(momentum(0.1, 0.9, 0.05))
    assert max_difference(ours, trajectory(chained(0.1, 0.9, 0.05))) <= SAME_ARITHMETIC
    assert max_difference(ours, trajectory(inside)) > 1e6 * SAME_ARITHMETIC


def test_weight_decay_25_does_not_enter_the_state():
    w, g = params(), jax.tree.map(jnp.ones_like, params())
    states = [momentum(0.1, 0.9, decay) for decay in (0.0, 0.05)]
    plain, decayed = (rule.update(g, rule.init(w), w)[1] for rule in states)
    assert max_difference(plain.m, decayed.m) == 0


def test_weight_decay_25_reaches_the_biases_too():
    zero = jax.tree.map(jnp.zeros_like, params())
    rule = momentum(0.5, 0.9, 0.25)
    updates, _ = rule.update(zero, rule.init(params()), params())
    assert max_difference(updates, jax.tree.map(lambda w: -0.125 * w, params())) <= SAME_ARITHMETIC


@pytest.mark.parametrize("mu", [0.0, 0.5, 0.9])
def test_the_first_step_24_is_plain_descent_times_one_minus_mu(mu):
    """The second option is mu; the third defaults to no decay."""
    w, g = params(), jax.tree.map(jnp.cos, params())
    updates, _ = momentum(0.1, mu).update(g, momentum(0.1, mu).init(w), w)
    expected = jax.tree.map(lambda g: -0.1 * (1 - mu) * g, g)
    assert max_difference(updates, expected) <= SAME_ARITHMETIC


def test_defaults_are_mu_0_9_and_no_decay():
    assert max_difference(trajectory(momentum(0.1), 5), trajectory(momentum(0.1, 0.9, 0.0), 5)) == 0


def test_state_24_starts_at_zero_and_counts_in_int32():
    state = momentum(0.1).init(params())
    assert isinstance(state, MomentumState)
    assert state.step.dtype == jnp.int32 and state.step.item() == 0
    assert max_difference(state.m, jax.tree.map(jnp.zeros_like, params())) == 0
    _, state = momentum(0.1).update(params(), state, params())
    assert state.step.dtype == jnp.int32 and state.step.item() == 1


def test_a_schedule_receives_the_number_of_updates_so_far():
    rule = momentum(lambda count: jnp.array([3.0, 5.0])[count], 0.0)
    w = {"w": jnp.array(1.0)}
    first, state = rule.update(w, rule.init(w), w)
    second, _ = rule.update(w, state, w)
    assert (first["w"].item(), second["w"].item()) == (-3.0, -5.0)


def test_gradient_of_the_decay_loss_25_is_lambda_w():
    assert decay_loss({"w": jnp.array([3.0, 4.0])}, 0.5).item() == 6.25
    gradient = jax.grad(decay_loss)(params(), 0.05)
    assert max_difference(gradient, jax.tree.map(lambda w: 0.05 * w, params())) <= SAME_ARITHMETIC


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("alpha", [0.1, decaying()], ids=["constant", "schedule"])
def test_updates_and_state_have_the_dtype_of_the_parameters(dtype, alpha):
    rule = momentum(alpha, 0.9, 0.05)
    w = jax.tree.map(lambda a: a.astype(dtype), params())
    updates, state = rule.update(w, rule.init(w), w)
    assert {leaf.dtype.name for leaf in jax.tree.leaves((updates, state.m))} == {dtype}
    wide = jax.tree.map(lambda a: a.astype("float64"), w)
    expected, _ = rule.update(wide, rule.init(wide), wide)
    actual = jax.tree.map(lambda a: a.astype("float64"), updates)
    assert max_difference(actual, expected) <= tolerance(dtype)


@pytest.mark.parametrize("mu", [-0.1, 1.0, float("nan")])
def test_mu_out_of_range_is_rejected(mu):
    with pytest.raises(ValueError, match="momentum: mu must be at least 0 and below 1"):
        momentum(0.1, mu)


@pytest.mark.parametrize("decay", [-0.1, float("inf"), float("nan")])
def test_weight_decay_out_of_range_is_rejected(decay):
    with pytest.raises(ValueError, match="momentum: weight_decay must be at least 0"):
        momentum(0.1, 0.9, decay)


def test_update_without_parameters_is_rejected():
    rule = momentum(0.1)
    with pytest.raises(ValueError, match="momentum: update needs params"):
        rule.update(params(), rule.init(params()))


RULES: dict[str, tuple[Any, dict[str, float]]] = {
    "momentum": (
        lambda **given: momentum(given["learning_rate"], given["mu"], given["weight_decay"]),
        {"learning_rate": 0.5, "mu": 0.75, "weight_decay": 0.25},
    ),
    "nesterov": (
        lambda **given: optim.nesterov(given["learning_rate"], given["mu"], given["weight_decay"]),
        {"learning_rate": 0.5, "mu": 0.75, "weight_decay": 0.25},
    ),
    "muon": (
        lambda **given: optim.muon(given["learning_rate"], given["mu"], 1),
        {"learning_rate": 0.5, "mu": 0.75},
    ),
    "scale_by_group": (
        lambda factor: optim.scale_by_group({"w": factor, "b": factor}),
        {"factor": 0.5},
    ),
}
"""Every optimiser, as a function of its numbers, and values for them."""
COUNTING = {"train_for"}
"""What has only numbers of updates, which are integers."""


def test_every_optimiser_is_known_here():
    returned = {name: getattr(optim, name).__annotations__.get("return") for name in optim.__all__}
    rules = {n for n, kind in returned.items() if kind is optax.GradientTransformation}
    assert rules == set(RULES) | COUNTING


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_optimiser_takes_traced_hyperparameters(name, dtype):
    """Under jit, vmap and grad, as arrays of their own dtype: the result keeps its dtype."""
    make, numbers = RULES[name]
    w = jax.tree.map(lambda a: a.astype(dtype), params())

    def step(given: dict[str, Any]) -> Any:
        rule = make(**given)
        return rule.update(w, rule.init(w), w)

    def total(given: dict[str, Any]) -> jax.Array:
        return sum(map(jnp.sum, jax.tree.leaves(step(given)[0])), jnp.zeros((), dtype))

    expected, traced = step(numbers), {k: jnp.float32(value) for k, value in numbers.items()}
    actual = jax.jit(step)(traced)
    assert jax.tree.map(lambda a: a.dtype, actual) == jax.tree.map(lambda a: a.dtype, expected)
    assert max_difference(*jax.tree.map(jnp.float64, (actual, expected))) <= tolerance(dtype)
    both = jax.vmap(step)(jax.tree.map(lambda value: jnp.stack([value, value]), traced))
    one = jax.tree.map(lambda leaf: leaf[1], both)
    assert max_difference(*jax.tree.map(jnp.float64, (one, actual))) <= tolerance(dtype)
    assert all(map(jnp.isfinite, jax.tree.leaves(jax.grad(total)(traced))))


def test_momentum_works_in_inject_hyperparams():
    plain, w = momentum(0.5, 0.75, 0.25), params()
    injected = optax.inject_hyperparams(optim.momentum)(0.5, mu=0.75, weight_decay=0.25)

    def step(state: Any, _: None) -> Any:
        updates, state = injected.update(w, state, w)
        return state, updates

    _, actual = jax.jit(lambda: jax.lax.scan(step, injected.init(w), None, length=2))()
    _, state = plain.update(w, plain.init(w), w)
    expected, _ = plain.update(w, state, w)
    last = jax.tree.map(lambda updates: updates[1], actual)
    assert max_difference(last, expected) <= SAME_ARITHMETIC
