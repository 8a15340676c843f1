"""Muon: equations (muon.1)-(muon.4), against a singular value decomposition in numpy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ffnn_jax import optim
from tests.tolerances import SAME_ARITHMETIC, tolerance

SHAPES = {"tall": (3, 3, 2, 5), "wide": (1, 2, 3, 9), "square": (2, 2, 2, 8)}
LEAST_NORM = 1e-7
STEPS = 200


def muon(*options: Any, dtype: str = "float64", **named: Any) -> Any:
    """The rule itself, without its annotations (optax's unions over trees)."""
    return optim.muon(*options, dtype=dtype, **named)


def decaying(count: Any) -> Any:
    return 0.3 * 0.98 ** jnp.asarray(count, float)


def drawn(seed: int, *leading: int) -> dict[str, jax.Array]:
    rng = np.random.default_rng(seed)
    return {k: jnp.asarray(rng.normal(size=(*leading, *shape))) for k, shape in SHAPES.items()}


def polynomial(s: np.ndarray, rounds: int = 3) -> np.ndarray:
    """What the rounds of (muon.4) make of singular values."""
    for _ in range(rounds):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    return s


def orthogonalised(g: np.ndarray, rounds: int) -> np.ndarray:
    """The polynomial of the singular values of a matrix with one row per output."""
    matrix = np.moveaxis(g, -1, 0).reshape(g.shape[-1], -1)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    moved = u * polynomial(s / (np.linalg.norm(s) + LEAST_NORM), rounds) @ vt
    return np.moveaxis(moved.reshape(-1, *g.shape[:-1]), 0, -1)


def by_hand(w: np.ndarray, grads: np.ndarray, mu: float, rounds: int) -> np.ndarray:
    """The kernel after each update."""
    m, after = np.zeros_like(w), []
    for n, g in enumerate(grads):
        m = mu * m + g
        w = w * np.sqrt(w.shape[-1]) / (np.sqrt((w**2).sum()) + LEAST_NORM)
        w = w - 0.3 * 0.98**n * orthogonalised(g + mu * m, rounds)
        after.append(w)
    return np.stack(after)


@pytest.mark.parametrize(("mu", "rounds"), [(0.6, 3), (0.9, 5), (0.0, 1)])
def test_200_steps_equal_those_by_singular_value_decomposition(mu, rounds):
    rule, start, grads = muon(decaying, mu, rounds), drawn(0), drawn(1, STEPS)

    def step(carry: Any, g: Any) -> Any:
        w, state = carry
        updates, state = rule.update(g, state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    ours = jax.jit(lambda w: jax.lax.scan(step, (w, rule.init(w)), grads)[1])(start)
    for name in SHAPES:
        theirs = by_hand(np.array(start[name]), np.array(grads[name]), mu, rounds)
        np.testing.assert_allclose(ours[name], theirs, rtol=0, atol=SAME_ARITHMETIC)


def test_defaults_are_mu_0_6_and_three_rounds_in_float32():
    assert updated(optim.muon(0.1)) == updated(muon(0.1, 0.6, 3, dtype="float32"))
    assert updated(optim.muon(0.1)) != updated(muon(0.1, 0.6, 3, dtype="float64"))


def updated(rule: Any) -> list[float]:
    updates, _ = jax.jit(rule.update)(drawn(1), rule.init(drawn(0)), drawn(0))
    return [float(u.sum()) for u in updates.values()]


@pytest.mark.parametrize("shape", [(40, 3), (3, 40), (6, 6)])
def test_without_momentum_the_direction_is_that_of_optax(shape):
    w, g = (jnp.asarray(np.random.default_rng(seed).normal(size=shape)) for seed in (0, 1))
    theirs = optax.contrib.scale_by_muon(
        ns_steps=3, beta=0.0, eps=LEAST_NORM, nesterov=False, ns_coeffs=(3.4445, -4.7750, 2.0315)
    )
    with jax.numpy_dtype_promotion("standard"):
        direction, _ = theirs.update(g, theirs.init(w), w)
    assert isinstance(direction, jax.Array)
    without, _ = muon(0.0, 0.0).update(g, muon(0.0).init(w), w)
    ours, _ = muon(0.25, 0.0).update(g, muon(0.25).init(w), w)
    np.testing.assert_allclose(ours - without, -0.25 * direction, rtol=0, atol=SAME_ARITHMETIC)


def singular_values(least: float) -> np.ndarray:
    """Those after three rounds, of matrices of norm 1 whose own are s and (1 - s^2)^(1/2)."""
    s = np.linspace(least, np.sqrt(1 - least**2), 20_001)
    g = np.stack([s, np.sqrt(1 - s**2)], -1)[:, :, None] * np.eye(2)
    w, rule = jnp.eye(2), muon(1.0, 0.0)
    of_one = lambda g: rule.update(g, rule.init(w), w)[0]  # noqa: E731
    return np.abs(np.diagonal(jax.jit(jax.vmap(of_one))(jnp.asarray(g)), 0, 1, 2))


def test_three_rounds_bring_singular_values_from_0_02_to_between_0_68_and_1_21():
    """As the chapter says; the bounds leave less than 0.01, and below 0.02 they fail."""
    after = singular_values(0.02)
    assert 0.68 <= after.min() < 0.69
    assert 1.20 < after.max() <= 1.21
    assert singular_values(0.017).min() < 0.68


@pytest.mark.parametrize("name", SHAPES)
def test_a_kernel_begins_each_step_with_the_norm_of_its_number_of_outputs(name):
    w, rule = drawn(0), muon(0.0)
    updates, _ = jax.jit(rule.update)(drawn(1), rule.init(w), w)
    norm = np.linalg.norm(np.ravel(w[name] + updates[name]))
    assert norm == pytest.approx(np.sqrt(SHAPES[name][-1]), rel=2 * LEAST_NORM)


def test_a_gradient_s_length_does_not_matter():
    w, rule = drawn(0), muon(0.1)
    one, _ = rule.update(drawn(1), rule.init(w), w)
    other, _ = rule.update(jax.tree.map(lambda g: 1e6 * g, drawn(1)), rule.init(w), w)
    for name in SHAPES:  # up to what keeps a norm above 0
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=LEAST_NORM)


def test_without_a_gradient_and_from_zero_nothing_moves():
    zero, rule = jax.tree.map(jnp.zeros_like, drawn(0)), muon(0.1)
    updates, _ = rule.update(zero, rule.init(zero), zero)
    assert all(not np.any(u) for u in updates.values())


@pytest.mark.parametrize("shape", [(40, 2), (2, 40)])
def test_only_the_smaller_product_of_a_matrix_with_itself_is_computed(shape):
    w, rule = jnp.ones(shape), muon(0.1)
    traced = str(jax.make_jaxpr(lambda w: rule.update(w, rule.init(w), w))(w))
    assert "f64[2,2]" in traced
    assert "[40,40]" not in traced


@pytest.mark.parametrize(("dtype", "short"), [("float32", "f32"), ("bfloat16", "bf16")])
def test_the_products_are_in_the_given_dtype_and_the_update_in_that_of_the_kernel(dtype, short):
    w, rule = drawn(0)["tall"].astype("float32"), muon(0.1, dtype=dtype)
    traced = str(jax.make_jaxpr(lambda w: rule.update(w, rule.init(w), w))(w))
    products = [line.strip() for line in traced.splitlines() if "= dot_general" in line]
    assert len(products) == 3 * 3
    assert all(f":{short}[" in line for line in products)
    updates, state = rule.update(w, rule.init(w), w)
    assert {updates.dtype.name, state.m.dtype.name} == {"float32"}
    exact, _ = muon(0.1).update(w, rule.init(w), w)
    np.testing.assert_allclose(updates, exact, rtol=0, atol=tolerance(dtype, 18))


def test_a_schedule_receives_the_number_of_updates_so_far():
    rule, seen = muon(lambda count: jnp.array([0.0, 1.0])[count]), []
    w = drawn(0)["square"]
    w, state = w * jnp.sqrt(8 / jnp.sum(w**2)), rule.init(w)
    for _ in range(2):
        updates, state = rule.update(w, state, w)
        seen.append(float(jnp.abs(updates).max()))
    assert seen[0] < 2 * LEAST_NORM < 0.1 < seen[1]
    assert state.step.dtype == jnp.int32 and state.step.item() == 2


@pytest.mark.parametrize("mu", [-0.1, 1.0, float("nan")])
def test_mu_out_of_range_is_rejected(mu):
    with pytest.raises(ValueError, match="muon: mu must be at least 0 and below 1"):
        muon(0.1, mu)


def test_no_rounds_are_rejected():
    with pytest.raises(ValueError, match="muon: rounds must be at least 1, got 0"):
        muon(0.1, 0.6, 0)


def test_update_without_parameters_is_rejected():
    with pytest.raises(ValueError, match="muon: update needs params"):
        muon(0.1).update(drawn(1), muon(0.1).init(drawn(0)))
