"""The activations, each in one row of each table; limits and kinks are the catalogue's."""

import functools
import math
import pickle
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax import layers, nn
from ffnn_jax.catalogue import OP_SPECS
from ffnn_jax.config import UserError
from tests.layers.checking import assert_close, assert_verified, normal
from tests.tolerances import tolerance

FAMILIES = ("_smooth_activations", "_piecewise_activations", "_gated_activations", "_log_softmax")
SPECS = {spec.name: spec for spec in OP_SPECS if spec.op.__module__.endswith(FAMILIES)}
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
LOG_2, E_20, MISH = math.log(2), math.exp(-20), math.tanh(math.log1p(math.exp(-20)))
NORMAL, K = NormalDist(), math.sqrt(2 / math.pi)
TANH, ERFC = math.tanh(1.044715 * K), math.erfc(math.sqrt(200)) / 2
SELU = 1.0507009873554805 * 1.6732632423543772
WORKED = {  # x, z and slope there, and the second derivative at 0
    "tanh": (LOG_2, 3 / 5, 16 / 25, 0),
    "softplus": (math.log(3), math.log(4), 3 / 4, 1 / 4),
    "softsign": (-3, -3 / 4, 1 / 16, -2),
    "silu": (LOG_2, 2 / 3 * LOG_2, 2 / 3 + 2 / 9 * LOG_2, 1 / 2),
    "gelu": (1, NORMAL.cdf(1), NORMAL.cdf(1) + NORMAL.pdf(1), K),
    "gelu_tanh": (1, (1 + TANH) / 2, (1 + TANH + (1 - TANH**2) * K * 1.134145) / 2, K),
    "mish": (LOG_2, 4 / 5 * LOG_2, 4 / 5 + 6 / 25 * LOG_2, 16 / 25),
    "elu": (-LOG_2, -1 / 2, 1 / 2, 1),
    "selu": (-LOG_2, -SELU / 2, SELU / 2, SELU),
    "celu": (-LOG_2, -1 / 2, 1 / 2, 1),
    "relu6": (5, 5, 1, 0),
    "hard_tanh": (-1 / 2, -1 / 2, 1, 0),
    "hard_sigmoid": (1, 2 / 3, 1 / 6, 0),
    "hard_swish": (1, 2 / 3, 5 / 6, 1 / 3),
}
TAILS = {  # z and slope at -20, without differences of nearly equal numbers
    "tanh": (math.tanh(-20), 1 / math.cosh(20) ** 2),
    "softplus": (math.log1p(E_20), E_20 / (1 + E_20)),
    "silu": (-20 * E_20 / (1 + E_20), E_20 / (1 + E_20) - 20 * E_20 / (1 + E_20) ** 2),
    "gelu": (-20 * ERFC, ERFC - 20 * NORMAL.pdf(20)),
    "mish": (-20 * MISH, MISH - 20 * (1 - MISH**2) * E_20 / (1 + E_20)),
    "elu": (math.expm1(-20), E_20),
}


@pytest.mark.slow
@each_spec
def test_all_catalogue_checks_pass(spec):
    assert_verified(spec)


@each_spec
def test_value_and_cotangents_are_those_of_the_reference(spec):
    """(act.1)-(act.3), (smooth.1)-(smooth.14), (piecewise.1)-(piecewise.10), (gated.1)-(gated.5)
    and (logsoftmax.1)-(logsoftmax.3), at random numbers, and on exact inputs those of the kinks.
    """
    op, reference = (
        functools.partial(f, **spec.cases[0].static) for f in (spec.op, spec.reference)
    )

    def results(f, arguments, dz):
        z, pull = jax.vjp(f, *map(jnp.asarray, arguments))  # most of it compiles once for all
        return z, *pull(jnp.asarray(dz))

    arguments = [normal(0, 3, 4), normal(1, 4)][: len(spec.arguments)]
    dz = normal(2, *reference(*arguments).shape)
    assert_close(results(op, arguments, dz), results(reference, arguments, dz))
    for kink in spec.kinks:
        stated = kink.value, *kink.expected
        for ours, expected in zip(results(op, kink.args, kink.cotangent), stated, strict=True):
            np.testing.assert_allclose(ours, expected, tolerance("float64"))


def test_value_slope_and_curvature_worked_by_hand():
    def worked(name, x):
        op, (at, zero) = getattr(layers, name), jnp.array([x, 0.0])
        return op(at), jax.grad(op)(at), jax.grad(jax.grad(op))(zero)

    actual = jax.jit(lambda: {name: worked(name, row[0]) for name, row in WORKED.items()})()
    assert_close(actual, {name: tuple(map(np.asarray, row[1:])) for name, row in WORKED.items()})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_limits_are_reached_within_the_range_of_the_dtype(dtype):
    large = 1e7 if dtype == "float32" else 1e4
    x, dz = (jnp.array(v, dtype) for v in ([large, -large, math.inf, -math.inf], [1, 2, 3, 4]))
    specs = [SPECS[name] for name in WORKED]
    ops = [functools.partial(spec.op, **spec.cases[0].static) for spec in specs]
    results = jax.jit(lambda: [(z, *pull(dz)) for z, pull in (jax.vjp(op, x) for op in ops)])()
    for spec, result in zip(specs, results, strict=True):
        far = spec.kinks[-1]  # at 1e300, infinity, and the same below 0
        z, steep = far.value[0], far.expected[0][0][0] / far.cotangent[0][0]
        z = [large * steep if math.isinf(z[1]) else z[0], z[2], z[1], z[3]]
        assert_close(result, (np.array(z), steep * np.array([1, 0, 3, 0])))


@pytest.mark.parametrize("name", TAILS)
def test_tails_are_relatively_accurate(name):
    actual = jax.value_and_grad(getattr(layers, name))(jnp.asarray(-20.0))
    np.testing.assert_allclose(actual, TAILS[name], tolerance("float64"), 0)


@each_spec
def test_residuals_are_slopes_booleans_or_arguments(spec):
    x, channels = (jax.ShapeDtypeStruct(shape, jnp.float16) for shape in ((3, 4), (4,)))
    kept = jax.eval_shape(spec.op.fwd, *(x, channels)[: len(spec.arguments)])[1]
    two_valued = spec.name in ("relu6", "hard_tanh", "hard_sigmoid")
    slope = jax.ShapeDtypeStruct((3, 4), jnp.bool if two_valued else jnp.float16)
    assert kept == ((x, channels) if spec.name == "prelu" else slope)


def test_values_are_those_of_jax_and_of_other_layers():
    x = normal(0, 3, 4)
    a, b = jnp.split(x, 2, axis=-1)
    others = {"gelu_tanh": jax.nn.gelu, "softsign": jax.nn.soft_sign, "tanh": jnp.tanh}
    others["gelu"] = functools.partial(jax.nn.gelu, approximate=False)
    for name in set(SPECS) - {"prelu", "swiglu", "geglu"}:
        other = others[name] if name in others else getattr(jax.nn, name)
        assert_close(getattr(layers, name)(x), other(x))
    assert_close(layers.prelu(x, jnp.full(4, 0.25)), layers.leaky_relu(x, 0.25))
    assert_close(jnp.exp(layers.log_softmax(x)), layers.softmax(x))
    assert_close((layers.swiglu(x), layers.geglu(x)), (layers.silu(a) * b, layers.gelu(a) * b))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: layers.elu(x, 0.0), "elu: alpha must be a finite number above 0, got 0.0"),
        (lambda x: layers.celu(x, alpha=math.inf), "celu: alpha must be a finite number above 0"),
        (lambda x: layers.prelu(x, x), r"prelu: slope must be of shape \(3,\), got \(3, 3\)"),
        (lambda x: layers.glu(x), r"glu: x must be of shape \(..., 2 C\), an even last axis, got"),
        (lambda x: layers.log_softmax(x[0, 0]), r"log_softmax: x must be of shape \(..., K\)"),
        (lambda x: layers.mish(x.astype("int32")), "mish: x must be of a floating-point dtype"),
        (lambda x: nn.GLU().output_shape((3,)), r"GLU\(\): needs an input whose last axis is even"),
        (lambda x: nn.ELU(0.0), r"ELU\(alpha=0.0\): alpha must be above 0"),
    ],
)
def test_bad_arguments_are_rejected(call, message):
    with pytest.raises((ValueError, UserError), match=message):
        call(jnp.ones((3, 3)))


def test_layers_are_pickled_halve_the_last_axis_and_leave_slopes_undecayed():
    for layer in (nn.GELU(), nn.GeGLU(), nn.ELU(0.5), nn.CELU(0.075)):
        assert pickle.loads(pickle.dumps(layer)) == layer
    assert nn.SwiGLU().output_shape((5, 6)) == (5, 3)
    assert not nn.PReLU().params((5, 6))["slope"].decayed
