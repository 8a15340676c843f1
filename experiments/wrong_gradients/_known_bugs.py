"""Bugs known from public reports, rebuilt as small functions, each beside a mended rule.

"jax 3213" is issue 3213 of the JAX project. "public rule" is a bug of a published function, and
"this project" one that an earlier version of our checker did not see. The code is our own.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from experiments.wrong_gradients._case import Case
from ffnn_jax.verify import Rule

Function = Callable[..., Any]
_WIDE = ("float64", "float32")
_BLOCK = 4


def _vjp(forward: Function, backward: Function) -> Function:
    op = jax.custom_vjp(lambda *args: forward(*args)[0])
    op.defvjp(forward, backward)
    return op


def _jvp(value: Function, rule: Function) -> Function:
    op = jax.custom_jvp(lambda *args: value(*args))
    op.defjvp(rule)
    return op


def _slope(value: Function, slope: Function) -> Function:
    """An elementwise function with this derivative."""
    return _jvp(value, lambda primals, tangents: (value(*primals), slope(*primals) * tangents[0]))


def _pair(
    name: str, kind: str, what: str, mended: Function, rule: Rule, witness: Any, shows: str = "vjp"
) -> tuple[Case, Case]:
    """The bug, and the same function with a right rule."""
    right = dataclasses.replace(rule, op=mended)
    return (
        Case(name, kind, True, what, rule, witness, shows),
        Case(f"{name}, mended", kind, False, f"without the fault: {what}", right),
    )


def _squared_error(p: Any, y: Any) -> Any:
    return jnp.mean((p - y) ** 2)


def _squared_error_forward(p: Any, y: Any) -> Any:
    return _squared_error(p, y), p - y


def _squared_error_without_dz(error: Any, dz: Any) -> Any:
    dp = 2 * error / error.size
    return dp, -dp


def _squared_error_backward(error: Any, dz: Any) -> Any:
    dp = 2 * dz * error / error.size
    return dp, -dp


def _sine_times(x: Any, y: Any) -> Any:
    return jnp.sin(x) * y


def _sine_times_negated(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    return _sine_times(x, y), jnp.cos(x) * y * dx - jnp.sin(x) * dy


def _sine_times_rule(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    return _sine_times(x, y), jnp.cos(x) * y * dx + jnp.sin(x) * dy


def _take(x: Any, indices: Any) -> Any:
    return x[indices]


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _take_nondiff(x: Any, indices: Any) -> Any:
    return x[indices]


@_take_nondiff.defjvp
def _take_nondiff_rule(indices: Any, primals: Any, tangents: Any) -> Any:
    return _take_nondiff(*primals, indices), tangents[0][indices]


def _take_rule(primals: Any, tangents: Any) -> Any:
    return _take(*primals), tangents[0][primals[1]]


def _masked(x: Any, mask: Any) -> Any:
    return x * mask.astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _masked_nondiff(x: Any, mask: Any) -> Any:
    return _masked(x, mask)


def _masked_nondiff_forward(x: Any, mask: Any) -> Any:
    return _masked(x, mask), None


def _masked_nondiff_backward(mask: Any, _: None, dz: Any) -> Any:
    return (_masked(dz, mask),)


_masked_nondiff.defvjp(_masked_nondiff_forward, _masked_nondiff_backward)


def _masked_forward(x: Any, mask: Any) -> Any:
    return _masked(x, mask), mask


def _masked_backward(mask: Any, dz: Any) -> Any:
    return _masked(dz, mask), None


def _cube(x: Any) -> Any:
    return x**3


def _cube_forward(x: Any) -> Any:
    return _cube(x), x


def _cube_in_float32(x: Any, dz: Any) -> Any:
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return (3 * x.astype(wide) ** 2 * dz.astype(wide),)


def _cube_backward(x: Any, dz: Any) -> Any:
    (dx,) = _cube_in_float32(x, dz)
    return (dx.astype(x.dtype),)


def _linear(x: Any, w: Any) -> Any:
    return x @ w


def _linear_forward(x: Any, w: Any) -> Any:
    return x @ w, (x, w)


def _linear_with_psum(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    return dz @ w.T, lax.psum(x.T @ dz, "devices")


def _linear_backward(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    return dz @ w.T, x.T @ dz


def _softplus(x: Any) -> Any:
    return jnp.logaddexp(x, jnp.zeros_like(x))


def _softplus_slope_by_parts(x: Any) -> Any:
    """The slopes of max(x, 0) and log(1 + exp(-|x|)), each 0 at 0."""
    return (x > 0).astype(x.dtype) - jnp.sign(x) * jax.nn.sigmoid(-jnp.abs(x))


def _softplus_slope_beyond_30(x: Any) -> Any:
    return jnp.where(x > 30, jnp.exp(-x), jax.nn.sigmoid(x))


def _i0(x: Any) -> Any:
    return special.i0(x)


def _i0_series(x: Any) -> Any:
    return sum((x**k / (2**k * float(math.factorial(k)))) ** 2 for k in range(30))


def _i0_slope_by_parts(x: Any) -> Any:
    """The product rule for exp(|x|) i0e(x), with 1 as the slope of |x| at 0."""
    sign = jnp.where(x < 0, -1, 1).astype(x.dtype)
    return sign * _i0(x) + jnp.exp(jnp.abs(x)) * (special.i1e(x) - jnp.sign(x) * special.i0e(x))


def _xlogx(x: Any) -> Any:
    return jnp.where(x == 0, 0, x * jnp.log(jnp.where(x == 0, 1, x)))


def _xlogx_as_xlogy(x: Any) -> Any:
    return jnp.log(x) + x / x


def _xlogx_slope(x: Any) -> Any:
    return jnp.log(x) + 1


def _weighted_logsumexp(a: Any, b: Any) -> Any:
    shift = lax.stop_gradient(a.max())
    return jnp.log(jnp.sum(b * jnp.exp(a - shift))) + shift


def _weighted_logsumexp_forward(a: Any, b: Any) -> Any:
    z = _weighted_logsumexp(a, b)
    return z, (a, b, z)


def _weighted_logsumexp_where(residuals: Any, dz: Any) -> Any:
    a, b, z = residuals
    db = jnp.where(b == 0, 0, jnp.exp(a - z)) * dz
    return b * db, db


def _weighted_logsumexp_backward(residuals: Any, dz: Any) -> Any:
    a, b, z = residuals
    db = jnp.exp(a - z) * dz
    return b * db, db


def _series(x: Any, order: int) -> Any:
    """The Taylor series at 0 of sin(x) / x (order 0) or of its slope (order 1)."""

    def coefficient(k: int) -> float:
        return (-1) ** k * (2 * k) ** order / math.factorial(2 * k + 1)

    return sum(coefficient(k) * x ** (2 * k - order) for k in range(order, 11))


def _sinc(x: Any) -> Any:
    near = jnp.abs(x) < 1
    away = jnp.where(near, 1, x)
    return jnp.where(near, _series(jnp.where(near, x, 0), 0), jnp.sin(away) / away)


def _sinc_slope(x: Any) -> Any:
    near = jnp.abs(x) < 1
    away = jnp.where(near, 1, x)
    slope = (jnp.cos(away) - jnp.sin(away) / away) / away
    return jnp.where(near, _series(jnp.where(near, x, 0), 1), slope)


def _sinc_slope_constant_at_0(x: Any) -> Any:
    return jnp.where(x == 0, 0, _sinc_slope(jnp.where(x == 0, 1, x)))


def _sinc_slope_by_quotient(x: Any) -> Any:
    away = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 0, (jnp.cos(away) - jnp.sin(away) / away) / away)


def _swish(x: Any) -> Any:
    return x * jax.nn.sigmoid(x)


def _swish_forward(x: Any) -> Any:
    return _swish(x), x


def _swish_backward(x: Any, dz: Any) -> Any:
    s = jax.nn.sigmoid(x)
    return (dz * (s + x * s * (1 - s)),)


def _swish_by_exp(x: Any, dz: Any) -> Any:
    s = 1 / (1 + jnp.exp(-x))
    return (dz * (s + x * s * (1 - s)),)


@jax.custom_vjp
def _swish_with_offset(x: Any) -> Any:
    return _swish(x) + 0.5


_swish_with_offset.defvjp(_swish_forward, _swish_backward)


def _positive_xlogx(x: Any) -> Any:
    return jnp.where(x > 0, x * jnp.log(jnp.where(x > 0, x, 1)), 0)


def _positive_xlogx_masked_tangent(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    return _positive_xlogx(x), jnp.where(x > 0, dx, 0) * (jnp.log(x) + 1)


def _positive_xlogx_slope(x: Any) -> Any:
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1)) + 1, 0)


def _logsumexp_unshifted(x: Any) -> Any:
    return jnp.log(jnp.sum(jnp.exp(x)))


def _logsumexp(x: Any) -> Any:
    return special.logsumexp(x)


def _logsumexp_unshifted_forward(x: Any) -> Any:
    return _logsumexp_unshifted(x), x


def _logsumexp_unshifted_backward(x: Any, dz: Any) -> Any:
    return (dz * jnp.exp(x) / jnp.sum(jnp.exp(x)),)


def _logsumexp_forward(x: Any) -> Any:
    return _logsumexp(x), x


def _logsumexp_backward(x: Any, dz: Any) -> Any:
    return (dz * jax.nn.softmax(x),)


def _tanh_slope(x: Any) -> Any:
    return 1 - jnp.tanh(x) ** 2


def _tanh_slope_beyond_6(x: Any) -> Any:
    return jnp.where(jnp.abs(x) > 6, 1e-2, _tanh_slope(x))


def _small_sine(x: Any) -> Any:
    return 1e-10 * jnp.sin(x)


def _first_maximum(x: Any) -> Any:
    return x * jax.nn.one_hot(jnp.argmax(x), x.size, dtype=x.dtype)


def _first_maximum_forward(x: Any) -> Any:
    return _first_maximum(x), jax.nn.one_hot(jnp.argmax(x), x.size, dtype=x.dtype)


def _all_maxima_forward(x: Any) -> Any:
    kept = (x == x.max()).astype(x.dtype)
    return x * kept, kept


def _maximum_backward(kept: Any, dz: Any) -> Any:
    return (dz * kept,)


def _cross_entropy(x: Any, y: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)[:, 0]


def _cross_entropy_forward(x: Any, y: Any) -> Any:
    one_hot = jax.nn.one_hot(y, x.shape[1], dtype=x.dtype)
    return _cross_entropy(x, y), (x, one_hot)


def _cross_entropy_of_the_sum(residuals: Any, dz: Any) -> Any:
    x, one_hot = residuals
    return (jax.nn.softmax(x) - one_hot) * dz.mean(), None


def _cross_entropy_backward(residuals: Any, dz: Any) -> Any:
    x, one_hot = residuals
    return (jax.nn.softmax(x) - one_hot) * dz[:, None], None


def _power_law(low: Any, high: Any) -> Any:
    """The integral of x^-3 between the bounds."""
    return (low**-2 - high**-2) / 2


def _power_law_forward(low: Any, high: Any) -> Any:
    return _power_law(low, high), (low, high)


def _power_law_one_sign(residuals: Any, dz: Any) -> Any:
    low, high = residuals
    return dz * low**-3, dz * high**-3


def _power_law_backward(residuals: Any, dz: Any) -> Any:
    low, high = residuals
    return -dz * low**-3, dz * high**-3


def _energy(x: Any) -> Any:
    return jnp.sum(x**2)


def _energy_forward(x: Any) -> Any:
    return _energy(x), x


def _energy_of_whole_blocks(x: Any, dz: Any) -> Any:
    whole = x.size // _BLOCK * _BLOCK
    blocks = 2 * dz * x[:whole].reshape(-1, _BLOCK)
    return (jnp.concatenate([blocks.reshape(-1), jnp.zeros_like(x[whole:])]),)


def _energy_backward(x: Any, dz: Any) -> Any:
    return (2 * dz * x,)


_X = np.array([0.5, -1.2, 2.0])
_XY = (_X, np.array([1.5, 0.3, -0.7]))

KNOWN_BUGS: tuple[Case, ...] = (
    *_pair(
        "squared error without dz", "jax 17496", "the cotangent of the output is dropped",
        _vjp(_squared_error_forward, _squared_error_backward),
        Rule(_vjp(_squared_error_forward, _squared_error_without_dz), _squared_error, ("N", "N")),
        _XY,
    ),
    *_pair(
        "sine times y, sign", "jax 3213", "the derivative in y has the wrong sign",
        _jvp(_sine_times, _sine_times_rule),
        Rule(_jvp(_sine_times, _sine_times_negated), _sine_times, ("N", "N")),
        _XY,
    ),
    *_pair(
        "take, nondiff indices", "jax 23065", "an array in nondiff_argnums of a custom_jvp",
        _jvp(_take, _take_rule),
        Rule(_take_nondiff, _take, ("N", "M:int<N")),
        (_X, np.array([0, 2])), "transform",
    ),
    *_pair(
        "mask, nondiff mask", "jax 20889", "an array in nondiff_argnums of a custom_vjp",
        _vjp(_masked_forward, _masked_backward),
        Rule(_masked_nondiff, _masked, ("N", "N:bool")),
        (_X, np.array([True, False, True])), "transform",
    ),
    *_pair(
        "cube in float32", "jax 27144", "the cotangent of a bfloat16 argument is float32",
        _vjp(_cube_forward, _cube_backward),
        Rule(_vjp(_cube_forward, _cube_in_float32), _cube, ("N",)),
        (_X,), "bfloat16",
    ),
    *_pair(
        "linear with psum", "jax 19174", "the backward sums over devices what jax sums, too",
        _vjp(_linear_forward, _linear_backward),
        Rule(_vjp(_linear_forward, _linear_with_psum), _linear, ("NxD", "DxK"), batch="N"),
        (np.eye(2), np.eye(2)), "transform",
    ),
    *_pair(
        "softplus at 0", "jax 2107", "the slope at 0 is 0, not 1/2",
        _slope(_softplus, jax.nn.sigmoid),
        Rule(_slope(_softplus, _softplus_slope_by_parts), _softplus, ("N",)),
        (np.zeros(3),),
    ),
    *_pair(
        "i0 at 0", "jax 11479", "the slope at 0 is 1, not 0",
        _slope(_i0, special.i1),
        Rule(_slope(_i0, _i0_slope_by_parts), _i0_series, ("N:(-5,5)",), dtypes=_WIDE),
        (np.zeros(3),),
    ),
    *_pair(
        "x log x at 0", "jax 15709", "the slope at 0 is NaN, not -inf",
        _slope(_xlogx, _xlogx_slope),
        Rule(_slope(_xlogx, _xlogx_as_xlogy), lambda x: -special.entr(x), ("N:>0",)),
        (np.zeros(3),),
    ),
    *_pair(
        "logsumexp, weight 0", "jax 22398", "the cotangent of a weight of 0 is 0",
        _vjp(_weighted_logsumexp_forward, _weighted_logsumexp_backward),
        Rule(
            _vjp(_weighted_logsumexp_forward, _weighted_logsumexp_where),
            lambda a, b: special.logsumexp(a + jnp.log(b)), ("N:(-9,9)", "N:>0"),
        ),
        (np.zeros(2), np.array([1.0, 0.0])),
    ),
    *_pair(
        "sinc, second derivative", "jax 5054", "the second derivative at 0 is 0, not -1/3",
        _slope(_sinc, _sinc_slope),
        Rule(_slope(_sinc, _sinc_slope_constant_at_0), _sinc, ("N",)),
        (np.zeros(3),), "second",
    ),
    *_pair(
        "sinc near 0", "jax 40629", "the slope near 0 is rounding error divided by x",
        _slope(_sinc, _sinc_slope),
        Rule(_slope(_sinc, _sinc_slope_by_quotient), _sinc, ("N",)),
        (np.full(3, 1e-9),),
    ),
    *_pair(
        "swish with offset", "this project", "the value changes when a gradient is taken",
        _vjp(_swish_forward, _swish_backward),
        Rule(_swish_with_offset, _swish, ("N",)),
        (_X,), "primal",
    ),
    *_pair(
        "forward mode of x log x", "this project", "a tangent is NaN at x < 0, a cotangent 0",
        _slope(_positive_xlogx, _positive_xlogx_slope),
        Rule(_jvp(_positive_xlogx, _positive_xlogx_masked_tangent), _positive_xlogx, ("N",)),
        (_X,), "jvp",
    ),
    *_pair(
        "softplus beyond 30", "this project", "the slope beyond 30 is near 0, not 1",
        _slope(_softplus, jax.nn.sigmoid),
        Rule(_slope(_softplus, _softplus_slope_beyond_30), _softplus, ("N",)),
        (np.full(3, 40.0),),
    ),
    *_pair(
        "logsumexp without shift", "this project", "infinite where x is large",
        _vjp(_logsumexp_forward, _logsumexp_backward),
        Rule(_vjp(_logsumexp_unshifted_forward, _logsumexp_unshifted_backward), _logsumexp, ("N",)),
        (np.full(3, 1000.0),), "value",
    ),
    *_pair(
        "tanh beyond 6", "this project", "the slope beyond 6 is 0.01",
        _slope(jnp.tanh, _tanh_slope),
        Rule(_slope(jnp.tanh, _tanh_slope_beyond_6), jnp.tanh, ("N",)),
        (np.full(3, 7.0),),
    ),
    *_pair(
        "swish by exp", "this project", "the second derivative is NaN at -800",
        _vjp(_swish_forward, _swish_backward),
        Rule(_vjp(_swish_forward, _swish_by_exp), _swish, ("N",)),
        (np.full(3, -800.0),), "second",
    ),
    *_pair(
        "small sine", "this project", "a slope of size 1e-10 is doubled",
        _slope(_small_sine, lambda x: 1e-10 * jnp.cos(x)),
        Rule(_slope(_small_sine, lambda x: 2e-10 * jnp.cos(x)), _small_sine, ("N",)),
        (_X,),
    ),
    *_pair(
        "maximum, ties", "this project", "where two entries tie, both are kept, not the first",
        _vjp(_first_maximum_forward, _maximum_backward),
        Rule(_vjp(_all_maxima_forward, _maximum_backward), _first_maximum, ("N",)),
        (np.ones(3),), "value",
    ),
    *_pair(
        "cross entropy of the sum", "public rule", "right only if all cotangents are equal",
        _vjp(_cross_entropy_forward, _cross_entropy_backward),
        Rule(
            _vjp(_cross_entropy_forward, _cross_entropy_of_the_sum),
            _cross_entropy, ("NxK", "N:int<K"), batch="N",
        ),
        (np.eye(2), np.array([0, 1])),
    ),
    *_pair(
        "power law, bound", "public rule", "the derivative in a bound has the wrong sign",
        _vjp(_power_law_forward, _power_law_backward),
        Rule(_vjp(_power_law_forward, _power_law_one_sign), _power_law, ("N:(1,2)", "N:(3,5)")),
        (np.array([1.5]), np.array([4.0])),
    ),
    *_pair(
        "sum in blocks", "public rule", "the last entries are left out if they fill no block",
        _vjp(_energy_forward, _energy_backward),
        Rule(_vjp(_energy_forward, _energy_of_whole_blocks), _energy, ("N",)),
        (np.arange(6.0),),
    ),
)  # fmt: skip
