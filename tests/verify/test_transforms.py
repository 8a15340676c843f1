"""Faults that only a transformation shows: compilation, vmap, scan, remat, a second derivative."""

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.verify import Rule, _transforms, check_vjp
from ffnn_jax.verify._result import worst_of
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._transforms import check_jit, check_remat, check_scan, check_vmap
from tests.verify import structures, toys
from tests.verify.running import IN_PROCESS, LONG, SMALL, check_product


@pytest.mark.parametrize(
    ("backward", "failures"),
    [
        (toys.detached_residuals, ("grad of grad",)),
        pytest.param(toys.returns_float32, ("bfloat16", "float16"), marks=pytest.mark.slow),
        pytest.param(toys.sums_in_half_precision, ("bfloat16",), marks=pytest.mark.slow),
        (toys.differs_when_compiled, ("jit",)),
    ],
)
def test_a_fault_that_only_some_checks_detect_fails_only_those(backward, failures):
    sizes = LONG if backward is toys.sums_in_half_precision else SMALL
    assert check_product(toys.custom_vjp_of(backward), sizes=sizes).failures == failures


@pytest.mark.parametrize("check_transformation", [check_jit, check_vmap, check_scan, check_remat])
def test_each_transformation_is_compared_with_the_compiled_rule(check_transformation):
    """The compiled rule is correct and the operation wrong, as if the transformation broke it."""
    good, bad = (
        Subject.of(Rule(op, toys.reference_product, ("NxD", "DxK")), SMALL[0])
        for op in (toys.product, toys.custom_vjp_of(toys.scaled_dw))
    )
    with jax.enable_x64(True):
        bad.__dict__["pull"] = good.pull
        assert worst_of(check_transformation(good, SMALL[0], 0)).passed
        result = worst_of(check_transformation(bad, SMALL[0], 0))
    assert not result.passed
    assert "dw" in result.where


def test_a_missing_cotangent_is_not_a_missing_term():
    """A rule that looks at which arguments are differentiated, and forgets dx if y is not."""
    op = jax.custom_vjp(lambda x, y: x * y)

    def forward(x, y):
        return x.value * y.value, (x.value, y.value, jnp.asarray(y.perturbed))

    def backward(residuals, dz):
        x, y, both = residuals
        return jnp.where(both, y * dz, 0), x * dz

    op.defvjp(forward, backward, symbolic_zeros=True)
    asked = ["value", "cotangents", "differences", "partial"]
    result = check_vjp(op, lambda x, y: x * y, "N", "N", only=asked)
    assert result.failures == ("partial",)
    assert result["partial"].where.startswith("dx alone")
    assert check_vjp(toys.product, toys.reference_product, "NxD", "DxK", only=["partial"])


def test_a_rule_for_a_first_derivative_only_is_declared():
    detached = toys.custom_vjp_of(toys.detached_residuals)
    result = check_product(detached, only=["cotangents", "grad of grad"], order=1)
    assert result
    assert [row.name for row in result.checks] == ["cotangents"]
    assert result.not_asked["grad of grad"] == "order=1"


def test_a_second_derivative_that_raises_fails_unless_the_order_is_1():
    def slope(x):
        return jax.pure_callback(lambda x: x * 0 + 2, x, x, vmap_method="expand_dims")

    op, asked = toys.unary(lambda x: 2 * x, slope), ["cotangents", "grad of grad"]
    result = check_vjp(op, lambda x: 2 * x, "N", only=asked)
    assert result.failures == ("grad of grad",)
    assert "callback" in result["grad of grad"].note
    assert check_vjp(op, lambda x: 2 * x, "N", only=asked, order=1)


def test_a_second_derivative_wrong_only_far_from_0_is_caught():
    """First derivatives are right everywhere."""

    def slope(x):
        far = jax.lax.stop_gradient(jnp.cos(x))
        return jnp.where(jnp.abs(x) > 20, far, jnp.cos(x))

    result = check_vjp(
        toys.unary(jnp.sin, slope), jnp.sin, "N", only=["cotangents", "magnitudes", "grad of grad"]
    )
    assert result.failures == ("grad of grad",)


def test_a_forward_that_calls_its_own_operation_is_accepted():
    """As in JAX's own tutorial; and a rule that scatters to given rows."""
    asked = [name for name in IN_PROCESS if "float" not in name and name != "grad of grad"]
    assert check_vjp(toys.calls_itself, toys.sine_times, "N", "N", only=asked)
    op, reference = structures.look_up, structures.reference_look_up
    assert check_vjp(op, reference, "NxD", "K:int<N", only=asked)


def test_a_rule_that_is_wrong_where_one_output_is_used_alone_is_caught():
    def backward(x, dz):
        unused = [isinstance(d, jax.custom_derivatives.SymbolicZero) for d in dz]
        a, b = (jnp.zeros_like(x) if zero else d for d, zero in zip(dz, unused, strict=True))
        return ((2 if unused[1] else 1) * (jnp.cos(x) * a + 2 * x * b),)

    def reference(x):
        return jnp.sin(x), x * x

    op = jax.custom_vjp(reference)
    op.defvjp(lambda x: (reference(x.value), x.value), backward, symbolic_zeros=True)
    result = check_vjp(op, reference, "N", only=["value", "cotangents", "partial"])
    assert result.failures == ("partial",)
    assert result["partial"].where.startswith("dx from output 0 alone")


def test_of_many_arguments_all_one_and_all_but_one_are_mapped():
    choices = _transforms._axis_choices(5)
    assert choices[0] == (0,) * 5
    assert choices[1] == (0, None, None, None, None)
    assert choices[6] == (None, 0, 0, 0, 0)
    assert len(choices) == 9
