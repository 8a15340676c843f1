"""The dtypes used for training: unsupported ones, precision, and an ill-conditioned problem."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import Rule, _dtypes, check_vjp
from tests.verify import toys
from tests.verify.running import IN_PROCESS

FLOATS = ("float32", "bfloat16", "float16")


def test_the_error_of_autodiff_is_noted_for_each_dtype():
    result = check_vjp(toys.unary(jnp.sin, jnp.cos), jnp.sin, "N", only=FLOATS)
    assert [result[name].allowed for name in FLOATS] == [16, 4, 4]
    for name in FLOATS:
        assert result[name].note.startswith("autodiff ")
        assert " eps" in result[name].note


def refusing(*dtypes):
    def value(x):
        if x.dtype.name in dtypes:
            raise TypeError(f"no kernel for {x.dtype}")
        return jnp.sin(x)

    return value


def test_a_dtype_that_the_operation_refuses_is_not_supported_and_not_a_failure():
    op = toys.unary(refusing("bfloat16", "float16"), jnp.cos)
    result = check_vjp(op, jnp.sin, "N", only=FLOATS)
    assert result
    assert [row.name for row in result.checks] == ["float32"]
    assert result.not_asked["float16"] == "not supported: TypeError: no kernel for float16"


def test_a_matrix_function_without_half_precision_passes():
    """As LAPACK has none."""

    def value(a):
        return jnp.linalg.inv(a)

    op = jax.custom_vjp(value)
    op.defvjp(lambda a: (y := value(a), y), lambda y, dz: (-y.T @ dz @ y.T,))
    result = check_vjp(op, value, "NxN:spd", only=["cotangents", "differences", *FLOATS])
    assert result, str(result)
    assert result.not_asked["float16"].startswith("not supported: ")


def test_an_error_in_the_backward_of_one_dtype_is_a_failure():
    def slope(x):
        return jnp.cos(x).astype(jnp.float32) if x.dtype.itemsize < 4 else jnp.cos(x)

    result = check_vjp(toys.unary(jnp.sin, slope), jnp.sin, "N", only=FLOATS)
    assert set(result.failures) == {"bfloat16", "float16"}


@pytest.mark.parametrize(("factor", "failures"), [(1.0, ()), (1.001, ("cotangents",))])
def test_an_operation_for_float32_alone_is_checked_in_float32(factor, failures):
    op = toys.unary(refusing("float64", "bfloat16", "float16"), lambda x: factor * jnp.cos(x))
    asked = IN_PROCESS if factor == 1 else ["value", "cotangents"]
    result = check_vjp(op, jnp.sin, "N", dtypes=("float32",), only=asked)
    assert result.failures == failures, str(result)
    if factor == 1:
        assert {result.not_asked[d] for d in FLOATS[1:]} == {"not among dtypes="}


def rounded_to(bits):
    """The identity; in float32, rounded to fewer bits than its 23."""

    def value(x):
        return x if x.dtype.itemsize > 4 else jax.lax.reduce_precision(x, 8, bits)

    return value


@pytest.mark.parametrize(
    ("bits", "references", "passed"),
    [(13, 13, True), (13, 16, False), (4, 4, False)],
    ids=["no worse than twice autodiff", "worse than autodiff", "autodiff unusable"],
)
def test_twice_the_error_of_autodiff_passes_if_it_is_usable(bits, references, passed):
    op = toys.unary(rounded_to(bits), jnp.ones_like)
    row = check_vjp(op, rounded_to(references), "N", only=["float32"])["float32"]
    assert row.passed is passed, row
    assert row.worst > 16
    assert ("unusable" in row.note) is (references == 4)


def hilbert(generator, sizes):
    n = 8
    scale = 1 / (np.arange(n)[:, None] + np.arange(n)[None, :] + 1)
    return scale * (1 + 1e-3 * generator.random((n, n))), generator.normal(size=n)


@pytest.mark.parametrize(("factor", "failures"), [(1.0, ()), (1.01, ("cotangents",))])
def test_a_right_rule_of_an_ill_conditioned_problem_passes(factor, failures):
    """The condition number is about 1e7: two right algorithms differ by far more than 1e-9."""

    def forward(a, b):
        x = jnp.linalg.solve(a, b)
        return x, (a, x)

    def backward(residuals, dz):
        a, x = residuals
        db = jnp.linalg.solve(a.T, dz)
        return -factor * db[:, None] * x[None, :], db

    op = jax.custom_vjp(lambda a, b: forward(a, b)[0])
    op.defvjp(forward, backward)

    def reference(a, b):
        return jnp.linalg.inv(a) @ b

    asked = ["value", "primal", "cotangents"]
    result = check_vjp(op, reference, draw=hilbert, only=asked)
    assert result.failures == failures, str(result)


def root(x):
    """The square root by Newton's method, to about 1e-6."""
    y = jnp.ones_like(x)
    for _ in range(5):
        y = (y + x / y) / 2
    return y * (1 + 1e-6 * jnp.sin(100 * jax.lax.stop_gradient(x)))


@pytest.mark.parametrize(
    ("factor", "rtol", "failures"),
    [
        (0.5, None, ("value", "cotangents")),
        (0.5, 1e-4, ()),
        (0.51, 1e-4, ("cotangents",)),
    ],
)
def test_an_iterative_solver_states_its_tolerance(factor, rtol, failures):
    op = toys.unary(root, lambda x: factor / root(x))
    result = check_vjp(op, jnp.sqrt, "N:(0.5,4)", rtol=rtol, only=["value", "cotangents"])
    assert result.failures == failures, str(result)


@pytest.mark.parametrize(
    ("forward", "backward", "failures"),
    [
        pytest.param(
            toys.weighted_forward,
            toys.forgets_the_second_output,
            {"cotangents", "differences", "grad of grad", "float32", "bfloat16", "magnitudes"},
            marks=pytest.mark.slow,
        ),
        (toys.squares_summed_in_half_precision, toys.weighted_backward, {"bfloat16"}),
    ],
)
def test_a_fault_in_one_of_several_outputs_is_detected(forward, backward, failures):
    wrong = toys.custom_vjp_of(backward, forward)
    rule = Rule(
        wrong, toys.reference_weighted, ("NxD", "D"), batch="N", reduces="mean", linear=(1,),
        sizes=[{"N": 3, "D": 4}, {"N": 3000, "D": 2}],
    )  # fmt: skip
    asked = ["value", "cotangents", "differences", "magnitudes", "grad of grad", *FLOATS[:2]]
    assert set(check_vjp(rule, only=asked).failures) == failures


def run_at(x, dtype, expected=1.0, theirs=1.0):
    """One draw in a dtype, of an operation with one argument."""
    arrays = [np.array([one]).astype(jnp.dtype(dtype)) for one in (x, theirs)]
    layout = SimpleNamespace(restores=())
    subject = SimpleNamespace(reals=(0,), layout=layout, reference_pull=None)
    truth = [np.array([expected])]
    return _dtypes._Run(subject, dtype, arrays[:1], [], None, arrays[1:], truth)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "x", "expected", "theirs", "holds"),
    [
        ("float16", 1.0, 1.0, 1.0, True),
        ("float16", 0.0, 1.0, 1.0, True),
        ("float16", 1e-6, 1.0, 1.0, False),
        ("float16", -1e-6, 1.0, 1.0, False),
        ("float16", 1e-9, 1.0, 1.0, False),
        ("float16", 1.0, 1e5, 1.0, False),
        ("float16", 1.0, 1.0, np.inf, False),
        ("bfloat16", 1.0, 1.0, np.inf, True),
        ("bfloat16", 1e-6, 1e5, 1.0, True),
    ],
)
def test_a_dtype_holds_numbers_between_its_smallest_normal_and_its_largest(
    dtype, x, expected, theirs, holds
):
    """Subnormal arguments, those rounded to 0, and what float16 overflows in are not judged."""
    assert bool(_dtypes._holds(run_at(x, dtype, expected, theirs), [np.array([x])])) is holds


def test_what_rounding_explains_adds_up(monkeypatch):
    """The movement, an epsilon of what cancels and of what is typical, and of far arguments."""
    explained = {"movement": lambda *_: [0.5], "cancelled": lambda *_: [2.0]}
    monkeypatch.setattr(_dtypes, "_compare", SimpleNamespace(**explained))
    run, half, single = run_at(100.0, "float16", expected=3.0), 2.0**-10, 2.0**-23
    (near,), (far,) = (_dtypes._scale(run, base) for base in (None, [4.0]))
    rest = single * 100 * (3 + 3) + 2.0**-14
    assert near == pytest.approx(0.5 + half * 2 + rest, rel=1e-12)
    assert far == pytest.approx(0.5 + half * (2 + 4) + rest, rel=1e-12)
    (ordinary,) = _dtypes._scale(run_at(5.0, "float16", expected=3.0), None)
    assert ordinary == pytest.approx(0.5 + half * 2 + 2.0**-14, rel=1e-12)


def test_only_the_dtypes_of_training_run_on_the_default_device():
    """Float64 belongs to the CPU; where one trains is the device that jax takes by default."""
    devices = {}

    def sine(x):
        device = jax.config.jax_default_device  # type: ignore[attr-defined]
        devices.setdefault(jnp.result_type(x).name, device)
        return jnp.sin(x)

    check_vjp(sine, None, "N", only=["linearity", "float32"])
    assert devices["float64"] == jax.devices("cpu")[0]
    assert devices["float32"] is None
