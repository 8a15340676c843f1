"""The activations: faults that any can have, slopes and values of neighbours, and those of each."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.nn import sigmoid

from ffnn_jax import layers
from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_residuals
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.verify import Kink

Changes = dict[str, Callable[..., Any]]  # wrong slopes by name, from x, z and the correct one
exp, where, minimum, maximum = jnp.exp, jnp.where, jnp.minimum, jnp.maximum
INF, NAN, _LAMBDA, _ALPHA = np.inf, np.nan, 1.0507009873554805, 1.6732632423543772
_MIRRORED, _AT_Z, _ROW_ABOVE = "slope at -x", "slope at z", "slope of the row above"


def _spec(op: Any, reference: Any, faults: Any, *kinks: Kink, words: Any = "NxD", **static: float):
    """An entry; a process with several devices imports the reference, by the name it gets here."""
    reference.__name__ = f"reference_{op.__name__}"
    globals()[reference.__name__] = reference
    case = Case(ELEMENTWISE, static)
    return OpSpec(
        op=op, reference=reference, arguments=tuple(words.split()), cases=(case,), kinks=kinks,
        faults=tuple(faults), batch="N", empty_batch=True,
    )  # fmt: skip


def _kink(name: str, x: Any, z: Any, slope: Any) -> Kink:
    """A convention; in the shape of the second sizes, it needs no program of its own."""
    sizes = 6, 6 * np.size(z) // np.size(x), 6
    x, z, slope = map(np.resize, (np.array(x, float), np.array(z, float), slope), sizes)
    dz = np.arange(3.0, 3 + z.size)
    dx = np.resize(dz, 6) * slope  # both halves of a gated one
    return Kink(name, (x[None, :],), dz[None, :], (dx[None, :],), z[None, :])


def _slopes(op: Any, **static: float) -> Callable[[Array], Array]:
    """The slopes of an activation, as a function of x: what a cotangent of ones becomes."""
    given = static or {"alpha": 1.0} if op in (layers.elu, layers.celu) else static

    def of(x: Array) -> Array:
        z, kept = op.fwd(x, **given)
        return op.bwd(*given.values(), kept, jnp.ones_like(z))[0]

    return of


def _planted(op: Any, slopes: Changes, **values: Any) -> list[Fault]:
    def with_slope(name: str, change: Any) -> Fault:
        def forward(x: Array, **static: float) -> tuple[Array, Array]:
            return op.fwd(x, **static)[0], x

        def backward(*given: Any) -> tuple[Array]:
            *alpha, x, dz = given
            correct = _slopes(op, **dict(zip(["alpha"], alpha, strict=False)))(x)
            wrong = change(x, op(x, *alpha), correct)
            return ((jnp.tile(dz, x.size // dz.size) * wrong).astype(x.dtype),)

        return Fault(name, backward, forward)

    def with_value(name: str, change: Any) -> Fault:
        def forward(x: Array, **static: float) -> tuple[Array, Array]:
            return change(x).astype(x.dtype), op.fwd(x, **static)[1]

        return Fault(f"z {name.replace('_', ' ')}", forward=forward)

    of_slope = [with_slope(name, change) for name, change in slopes.items()]
    return of_slope + [with_value(name, change) for name, change in values.items()]


def _entry(
    op: Any, reference: Any, ends: tuple[float, float, float], neighbours: Any, own: Changes,
    kinks: Any = None, none: Any = (), nan: float = NAN, alpha: Any = (), **values: Any,
) -> OpSpec:  # fmt: skip
    """The entry of an activation.

    ``ends`` are z at -infinity, z at infinity but for what it grows by, and the slope there;
    ``kinks`` are numbers x, z there and the slopes; ``nan`` is the slope at NaN. ``none`` are
    common faults that are none here; ``values`` are wrong z, from x.
    """
    static = {"alpha": alpha} if alpha else {}
    (low, high, steep), slope_of = ends, _slopes(op, **static)
    right = [high + steep * 1e300, INF if steep else high]
    far = [1e300, INF, -1e300, -INF, NAN], [*right, low, low, NAN], [steep, steep, 0, 0, nan]
    points = {"kinks": kinks, "large numbers and NaN": far}
    slopes: Changes = own | {
        "slope 1 everywhere": lambda x, z, s: jnp.ones_like(x),
        _ROW_ABOVE: lambda x, z, s: jnp.roll(s, 1, axis=0),
        _MIRRORED: lambda x, z, s: slope_of(-x),
        _AT_Z: lambda x, z, s: slope_of(z),
        **{f"slope of {f.__name__}": lambda x, z, s, f=f: _slopes(f)(x) for f in neighbours},
    }
    slopes = {name: change for name, change in slopes.items() if name not in none}
    values["as_infinity_times_0"] = lambda x: op.fwd(x, **static)[0] + 0 * x
    at_dz = Fault("slope at dz", lambda *given: (given[-1] * slope_of(given[-1]),))
    faults = [*_planted(op, slopes, **values), at_dz]
    given = (_kink(name, *point) for name, point in points.items() if point)
    return _spec(op, reference, faults, *given, **static)


def _gated(op: Any, reference: Any, kink: Any, neighbour: Any, name: str, own: Any) -> OpSpec:
    """The entry of a gated activation; a wrong slope of its ``own`` is of both halves."""

    def of(f: Any) -> Callable[..., Array]:
        return lambda x, *_: jnp.concatenate(f(*jnp.split(x, 2, axis=-1)), axis=-1)

    swapped = of(lambda a, b: (b, a))
    slopes: Changes = {
        name: of(own),
        f"slopes of {neighbour.__name__}": lambda x, z, s: _slopes(neighbour)(x),
        "slopes swapped": lambda x, z, s: swapped(s),
        "slopes at swapped halves": lambda x, z, s: _slopes(op)(swapped(x)),
        _ROW_ABOVE: lambda x, z, s: jnp.roll(s, 1, axis=0),
    }
    faults = _planted(op, slopes, swapped=lambda x: op(swapped(x)))
    return _spec(op, lambda x: reference(*jnp.split(x, 2, -1)), faults, _kink("infinities", *kink))


# fmt: off
TANH = _entry(
    layers.tanh, lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), (-1, 1, 0),
    [layers.sigmoid, layers.softsign], {"1 - x^2": lambda x, z, s: 1 - x**2}, none=_MIRRORED,
    overflowing=lambda x: (exp(2 * x) - 1) / (exp(2 * x) + 1))
SOFTPLUS = _entry(
    layers.softplus, lambda x: jnp.log(1 + exp(x)), (0, 0, 1), [layers.relu, layers.sigmoid],
    {"z": lambda x, z, s: z}, overflowing=lambda x: jnp.log1p(exp(x)))
SOFTSIGN = _entry(
    layers.softsign, lambda x: x / (1 + jnp.abs(x)), (-1, 1, 0), [layers.tanh],
    {"not squared": lambda x, z, s: 1 - jnp.abs(z), "x for |x|": lambda x, z, s: 1 / (1 + x) ** 2},
    none=_MIRRORED)
SILU = _entry(
    layers.silu, lambda x: x / (1 + exp(-x)), (0, 0, 1), [layers.gelu, layers.softplus],
    {"s left out": lambda x, z, s: s - sigmoid(x)}, of_gelu=layers.gelu)
GELU = _entry(
    layers.gelu, lambda x: x * (1 + jax.lax.erf(x / 2**0.5)) / 2, (0, 0, 1),
    [layers.gelu_tanh, layers.silu], {"x phi left out": lambda x, z, s: where(x == 0, s, z / x)},
    of_gelu_tanh=layers.gelu_tanh)
GELU_TANH = _entry(
    layers.gelu_tanh, lambda x: x / 2 * (1 + jnp.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
    (0, 0, 1), [layers.gelu, layers.silu],
    {"x s' left out": lambda x, z, s: where(x == 0, s, z / x)},
    of_gelu=layers.gelu, fast=lambda x: x * sigmoid(1.702 * x))
MISH = _entry(
    layers.mish, lambda x: x * jnp.tanh(jnp.log(1 + exp(x))), (0, 0, 1), [layers.silu, layers.gelu],
    {"x t' left out": lambda x, z, s: where(x == 0, s, z / x),
     "s left out": lambda x, z, s: z / x + x * (1 - (z / x) ** 2)})
ELU = _entry(
    layers.elu, lambda x, alpha: where(x > 0, x, alpha * (exp(x) - 1)), (-0.5, 0, 1),
    [layers.elu, layers.relu], {"1 at 0": lambda x, z, s: where(x >= 0, 1, s),
    "z": lambda x, z, s: where(x > 0, 1, z)}, ([0, -0.0], [0, 0], 0.5), alpha=0.5)
SELU = _entry(
    layers.selu, lambda x: _LAMBDA * where(x > 0, x, _ALPHA * (exp(x) - 1)),
    (-_LAMBDA * _ALPHA, 0, _LAMBDA), [layers.elu, layers.relu],
    {"lambda at 0": lambda x, z, s: where(x >= 0, _LAMBDA, s)},
    ([0, -0.0], [0, 0], _LAMBDA * _ALPHA))
CELU = _entry(
    layers.celu, lambda x, alpha: where(x > 0, x, alpha * (exp(x / alpha) - 1)), (-0.5, 0, 1),
    [layers.elu, layers.celu], {"alpha left in": lambda x, z, s: where(x > 0, 1, s * 0.5)},
    ([0, -0.0], [0, 0], 1), alpha=0.5)
RELU6 = _entry(
    layers.relu6, lambda x: minimum(maximum(x, 0), 6), (0, 6, 0), [layers.relu, layers.hard_tanh],
    {"1 at 0": lambda x, z, s: where(x == 0, 1, s), "1 at 6": lambda x, z, s: where(x == 6, 1, s)},
    ([-1, 0, -0.0, 2, 6, 7], [0, 0, 0, 2, 6, 6], [0, 0, 0, 1, 0, 0]), none=_AT_Z, nan=0)
HARD_TANH = _entry(
    layers.hard_tanh, lambda x: minimum(maximum(x, -1), 1), (-1, 1, 0), [layers.tanh, layers.relu6],
    {f"1 at {k}": lambda x, z, s, k=k: where(x == k, 1, s) for k in (-1, 1)},
    ([-2, -1, 0, 1, 2], [-1, -1, 0, 1, 1], [0, 0, 1, 0, 0]), none=(_MIRRORED, _AT_Z), nan=0)
HARD_SIGMOID = _entry(
    layers.hard_sigmoid, lambda x: minimum(maximum(x + 3, 0), 6) / 6, (0, 1, 0), [layers.sigmoid],
    {f"1/6 at {k}": lambda x, z, s, k=k: where(x == k, 1 / 6, s) for k in (-3, 3)},
    ([-4, -3, 0, 3, 4], [0, 0, 0.5, 1, 1], [0, 0, 1 / 6, 0, 0]), nan=0,
    none=(_MIRRORED, _ROW_ABOVE), of_keras=lambda x: jnp.clip(x / 5 + 0.5, 0, 1))
HARD_SWISH = _entry(
    layers.hard_swish, lambda x: x * minimum(maximum(x + 3, 0), 6) / 6, (0, 0, 1),
    [layers.hard_sigmoid, layers.silu], {"-1/2 at -3": lambda x, z, s: where(x == -3, -0.5, s),
    "3/2 at 3": lambda x, z, s: where(x == 3, 1.5, s)},
    ([-4, -3, 0, 3, 4], [0, 0, 0, 3, 4], [0, 0, 0.5, 1, 1]))
GLU = _gated(
    layers.glu, lambda a, b: a / (1 + exp(-b)),
    ([3, 2, 1, -INF, INF, 0], [0, 2, 0.5], [0, 1, 0.5, 0, 0, 0.25]), layers.swiglu,
    "a left out", lambda a, b: (sigmoid(b), sigmoid(b) * sigmoid(-b)))
SWIGLU = _gated(
    layers.swiglu, lambda a, b: a / (1 + exp(-a)) * b,
    ([-INF, INF, 0, 3, 2, 1], [0, INF, 0], [0, 2, 0.5, 0, INF, 0]), layers.geglu,
    "a s' left out", lambda a, b: (sigmoid(a) * b, layers.silu(a)))
GEGLU = _gated(
    layers.geglu, lambda a, b: a * (1 + jax.lax.erf(a / 2**0.5)) / 2 * b,
    ([-INF, INF, 0, 3, 2, 1], [0, INF, 0], [0, 2, 0.5, 0, INF, 0]), layers.swiglu,
    "b left out", lambda a, b: (_slopes(layers.gelu)(a), layers.gelu(a)))
PRELU = _spec(
    layers.prelu, lambda x, slope: maximum(x, 0) + jnp.broadcast_to(slope, x.shape) * minimum(x, 0),
    [*(Fault(name, change_residuals(layers.prelu_backward, change)) for name, change in {
        "slope 1 at 0": lambda kept: (where(kept[0] == 0, 1, kept[0]), kept[1]),
        "slope 0": lambda kept: (kept[0], 0 * kept[1]),
        "x negated": lambda kept: (-kept[0], kept[1]),
        _ROW_ABOVE: lambda kept: (jnp.roll(kept[0], 1, axis=0), kept[1])}.items()),
     Fault("dslope shared", change_cotangent(layers.prelu_backward, 1, lambda d: 0 * d + d.sum()))],
    Kink("0, infinity and NaN", (np.array([[0, -0.0, 2, -2, INF, NAN]]), np.full(6, 0.5)),
         np.array([[3.0, 5, 7, 9, 11, 13]]),
         (np.array([[1.5, 2.5, 7, 4.5, 11, 6.5]]), np.array([0, 0, 0, -18, 0, NAN])),
         np.array([[0, 0, 2, -1, INF, NAN]])), words="NxD D")
LOG_SOFTMAX = _spec(
    layers.log_softmax, lambda x: x - jnp.log(exp(x).sum(-1, keepdims=True)),
    [*_planted(layers.log_softmax, {},
               overflowing=lambda x: x - jnp.log(exp(x).sum(-1, keepdims=True)),
               as_log_of_softmax=lambda x: jnp.log(layers.softmax(x))),
     Fault("x for z", forward=lambda x: (layers.log_softmax(x), x)),
     Fault("dx of softmax", lambda z, dz: layers.softmax_backward(exp(z), dz)),
     Fault("sum left out", lambda z, dz: (dz - exp(z) * dz,)),
     Fault("mean for the sum", lambda z, dz: (dz - exp(z) * dz.mean(-1, keepdims=True),)),
     Fault("sum over the batch", lambda z, dz: (dz - exp(z) * dz.sum(0, keepdims=True),))],
    *(Kink(f"one {high} above {low}", (np.array([[high, *[low] * 5]]),),
           np.array([[3.0, 4, 5, 6, 7, 8]]), (np.array([[-30.0, 4, 5, 6, 7, 8]]),),
           np.array([[0, *[low - high] * 5]]))
      for high, low in ((1e4, -1e4), (INF, 1.0), (1.0, -INF))))
# fmt: on
