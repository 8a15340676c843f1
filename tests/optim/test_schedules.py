import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ffnn_jax import optim
from ffnn_jax.optim import momentum, piecewise_linear, triangular
from tests.tolerances import SAME_ARITHMETIC, tolerance

POINTS = (0.0, 0.2), (0.23, 1.0), (1.0, 0.07)
OPTIONS: dict[str, dict[str, Any]] = {"piecewise_linear": {"points": POINTS}}
SCHEDULES = {
    name: functools.partial(make, **OPTIONS.get(name, {}))
    for name, make in vars(optim).items()
    if inspect.isfunction(make) and {"peak", "steps"} <= set(inspect.signature(make).parameters)
}
"""Every schedule of a number of steps."""


def rates(peak: float, steps: int, make: Any = triangular, *options: Any) -> np.ndarray:
    alpha: Any = make(peak, steps, *options)
    return np.array([float(alpha(jnp.int32(n))) for n in range(steps)])


def test_triangular_schedule_1_worked_by_hand():
    actual = rates(0.5, 10)
    expected = [0.25, 0.5, 0.5, *(0.5 * remaining / 8 for remaining in (7, 6, 5, 4, 3, 2, 1))]
    np.testing.assert_allclose(actual, expected, rtol=SAME_ARITHMETIC)


@pytest.mark.parametrize("steps", [5, 7, 100, 5000])
def test_triangular_schedule_1_is_linear_between_its_corners(steps):
    rising = -(-steps // 5)
    corners = [-1, rising - 1, rising, steps]
    expected = np.interp(np.arange(steps), corners, [0, 0.3, 0.3, 0])
    np.testing.assert_allclose(rates(0.3, steps), expected, rtol=tolerance("float32"))


def test_a_single_update_has_the_peak_rate():
    assert rates(0.25, 1) == [0.25]


def test_the_rate_scales_the_update():
    rule: Any = momentum(triangular(0.5, 10), 0.0)
    w = {"w": jnp.array(2.0)}
    updates, state = rule.update(w, rule.init(w), w)
    assert updates["w"].item() == -0.5
    updates, _ = rule.update(w, state, w)
    assert updates["w"].item() == -1.0


def test_zero_steps_are_rejected():
    with pytest.raises(ValueError, match="triangular: steps must be at least 1, got 0"):
        triangular(0.1, 0)


def test_piecewise_linear_schedule_2_worked_by_hand():
    points = (0.0, 0.0), (0.5, 1.0), (0.75, 0.25)
    actual = rates(2.0, 8, piecewise_linear, points)
    np.testing.assert_allclose(
        actual, [0, 0.5, 1, 1.5, 2, 1.25, 0.5, 0.5], rtol=0, atol=SAME_ARITHMETIC
    )


@pytest.mark.parametrize("steps", [1, 100, 780])
@pytest.mark.parametrize("points", [POINTS, ((0.0, 1.0), (1.0, 0.0)), ((0.3, 0.5),)])
def test_piecewise_linear_schedule_2_is_numpy_s_interpolation(steps, points):
    shares, factors = zip(*points, strict=True)
    expected = 0.3 * np.interp(np.arange(steps) / steps, shares, factors)
    actual = rates(0.3, steps, piecewise_linear, points)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=SAME_ARITHMETIC)


def test_piecewise_linear_schedule_2_equals_optax_s():
    theirs: Any = optax.piecewise_interpolate_schedule("linear", 0.2 * 3, {23: 5.0, 100: 0.07})
    with jax.numpy_dtype_promotion("standard"):
        expected = [float(theirs(n)) for n in range(100)]
    actual = rates(3.0, 100, piecewise_linear, POINTS)
    np.testing.assert_allclose(actual, expected, rtol=tolerance("float32"))


def test_piecewise_linear_without_steps_or_points_is_rejected():
    with pytest.raises(ValueError, match="piecewise_linear: steps must be at least 1, got 0"):
        piecewise_linear(0.1, 0, POINTS)
    with pytest.raises(ValueError, match="piecewise_linear: points must be at least one"):
        piecewise_linear(0.1, 5, ())


def test_every_schedule_is_known_here():
    returned = {name: getattr(optim, name).__annotations__.get("return") for name in optim.__all__}
    assert {name for name, kind in returned.items() if kind == optax.Schedule} == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_outside_its_steps_a_schedule_stays_at_its_first_and_last_rate(name, steps):
    alpha: Any = SCHEDULES[name](0.5, steps)
    first, last = (float(alpha(jnp.int32(n))) for n in (0, steps - 1))
    assert {float(alpha(jnp.int32(n))) for n in (-7, -1)} == {first}
    assert {float(alpha(jnp.int32(n))) for n in (steps, steps + 5, 2**31 - 1)} == {last}
    assert min(first, last) > 0


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_takes_traced_hyperparameters(name):
    def summed(peak: Any, steps: Any) -> jax.Array:
        alpha: Any = SCHEDULES[name](peak, steps)
        return jnp.sum(jax.vmap(alpha)(jnp.arange(10)))

    expected = [float(summed(peak, 10)) for peak in (0.25, 0.5)]
    rtol, peaks, steps = tolerance("float32", 10), jnp.array([0.25, 0.5]), jnp.array([10, 10])
    np.testing.assert_allclose(jax.jit(jax.vmap(summed))(peaks, steps), expected, rtol)
    np.testing.assert_allclose(jax.grad(summed)(0.25, 10), expected[0] / 0.25, rtol)
