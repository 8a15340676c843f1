"""Backwards that are not the derivative on purpose."""

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.verify import Rule, check_vjp
from tests.verify import toys
from tests.verify.running import IN_PROCESS

ASKED = ("value", "primal", "cotangents", "differences", "adjoint", "linearity", "zero", "jvp")


def reversing(factor):
    op = jax.custom_vjp(lambda x: x)
    op.defvjp(lambda x: (x, None), lambda _, dz: (-factor * dz,))
    return op


def negated(args, dz):
    return (-2.0 * dz,)


def clipping(limit):
    op = jax.custom_vjp(lambda x: x)
    op.defvjp(lambda x: (x, None), lambda _, dz: (jnp.clip(dz, -limit, limit),))
    return op


def rounding(slope):
    return toys.unary(lambda x: jnp.round(x), slope)


def test_a_backward_as_stated_agrees():
    result = check_vjp(reversing(2.0), lambda x: x, "N", backward=negated, only=IN_PROCESS)
    assert result, str(result)
    assert result.verdict == "agrees with the stated backward"
    assert result.stated
    assert "the stated backward" in str(result).splitlines()[0]
    assert {result.not_asked[name] for name in ("differences", "jvp")} == {"backward= is stated"}


def test_linear_arguments_are_not_checked_by_differences_either():
    rule = Rule(reversing(2.0), lambda x: x, ("N",), backward=negated, linear=(0,))
    result = check_vjp(rule, only=ASKED)
    assert result
    assert result.not_asked["adjoint"] == "backward= is stated"


@pytest.mark.parametrize("reference", [lambda x: x, None], ids=["reference", "no reference"])
def test_another_backward_than_the_stated_one_fails(reference):
    result = check_vjp(reversing(2.1), reference, "N", backward=negated, only=ASKED)
    assert result.failures == ("cotangents",)
    assert "ratio 1.05" in result.details[0]


def test_without_the_statement_it_is_a_wrong_derivative():
    result = check_vjp(reversing(1.0), lambda x: x, "N", only=ASKED)
    assert result.failures == ("cotangents", "differences")
    assert "the sign is reversed" in result.details[0]


def test_the_value_is_still_compared_with_the_reference():
    result = check_vjp(reversing(2.0), jnp.sin, "N", backward=negated, only=ASKED)
    assert result.failures == ("value",)


@pytest.mark.parametrize(("limit", "failures"), [(0.5, ()), (0.6, ("cotangents",))])
def test_a_backward_that_is_not_linear_can_be_stated(limit, failures):
    def clip(args, dz):
        return (jnp.minimum(jnp.maximum(dz, -0.5), 0.5),)

    result = check_vjp(clipping(limit), None, "N", backward=clip, only=ASKED)
    assert result.failures == failures
    assert "linearity" not in [row.name for row in result.checks]
    assert result.not_asked["linearity"]


@pytest.mark.parametrize(
    ("slope", "failures"),
    [(lambda x: jnp.abs(x) < 1, ()), (lambda x: jnp.abs(x) < 40, ("cotangents", "magnitudes"))],
    ids=["right", "wrong"],
)
def test_a_straight_through_estimator(slope, failures):
    def inside(args, dz):
        (x,) = args
        return (jnp.where(jnp.abs(x) < 1, dz, 0),)

    op = rounding(lambda x: slope(x).astype(x.dtype))
    result = check_vjp(op, jnp.round, "N", backward=inside, only=[*ASKED, "magnitudes", "float32"])
    assert set(result.failures) - {"float32"} == set(failures), str(result)


def custom_jvp_identity():
    op = jax.custom_jvp(lambda x: x)
    op.defjvps(lambda v, z, x: -2.0 * v)
    return op


def own_backward(residuals, dz):
    return (-2.0 * dz,)


OWN = jax.custom_vjp(lambda x: x)
OWN.defvjp(lambda x: (x, None), own_backward)
FORWARD = custom_jvp_identity()


@pytest.mark.parametrize(
    ("op", "own"),
    [
        (OWN, lambda args, dz: own_backward(None, dz)),
        (OWN, lambda args, dz: jax.vjp(OWN, *args)[1](dz)),
        (OWN, lambda args, dz: (jax.grad(lambda x: jnp.sum(OWN(x) * dz))(*args),)),
        (FORWARD, lambda args, dz: jax.vjp(FORWARD, *args)[1](dz)),
    ],
    ids=["bwd", "vjp", "grad", "vjp of a custom_jvp"],
)
def test_the_backward_of_the_operation_itself_is_rejected(op, own):
    with pytest.raises(ValueError, match="backward= calls the backward of the operation"):
        check_vjp(op, lambda x: x, "N", backward=own, only=ASKED)


def test_the_number_of_cotangents_must_be_that_of_the_arguments():
    with pytest.raises(ValueError, match="returned 2 cotangents for 1 arguments"):
        check_vjp(reversing(2.0), None, "N", backward=lambda args, dz: (dz, dz), only=ASKED)


def test_arguments_without_a_cotangent_may_be_left_out():
    op = jax.custom_vjp(lambda x, rows: x[rows])
    op.defvjp(
        lambda x, rows: (x[rows], (x, rows)),
        lambda r, dz: (-jnp.zeros_like(r[0]).at[r[1]].add(dz), None),
    )

    def negated_rows(args, dz):
        x, rows = args
        return -jax.vjp(lambda x: x[rows], x)[1](dz)[0]

    for backward in (
        lambda args, dz: (negated_rows(args, dz), None),
        lambda args, dz: (negated_rows(args, dz),),
    ):
        result = check_vjp(op, None, "N", "K:int<N", backward=backward, only=["cotangents"])
        assert result, str(result)


@pytest.mark.parametrize("limit", [4.0, 100.0, 1e3])
def test_a_clip_is_compared_at_cotangents_of_many_magnitudes(limit):
    def clipped(args, dz):
        return (jnp.clip(dz, -limit, limit),)

    for op, passes in ((clipping(limit), True), (clipping(2 * limit), False)):
        result = check_vjp(op, lambda x: x, "N", backward=clipped, only=["magnitudes"])
        assert result.passed == passes, str(result)
    assert "at a cotangent of scale" in str(result)


def test_a_clip_far_beyond_ordinary_cotangents_is_not_linear():
    result = check_vjp(clipping(100.0), lambda x: x, "N", only=["linearity"])
    assert result.failures == ("linearity",)
    small = jax.custom_vjp(lambda x: x)
    small.defvjp(lambda x: (x, None), lambda _, dz: (jnp.where(jnp.abs(dz) < 1e-4, 0, dz),))
    assert check_vjp(small, lambda x: x, "N", only=["linearity"]).failures == ("linearity",)


def test_a_stated_clip_is_no_failure_of_linearity():
    def clipped(args, dz):
        return (jnp.clip(dz, -100, 100),)

    result = check_vjp(clipping(100.0), lambda x: x, "N", backward=clipped, only=["linearity"])
    assert result.not_asked["linearity"] == "the stated backward is not linear"
