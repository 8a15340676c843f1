"""Wrong rules of strangers, written without the table of hypotheses in view, are explained."""

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.catalogue import DENSE
from ffnn_jax.catalogue.diagnosis import Diagnosis, diagnose, diagnosed
from ffnn_jax.verify import Rule, check_vjp
from tests.verify.toys import custom_vjp_of, reference_product, unary


def product(backward, **settings):
    return Rule(custom_vjp_of(backward), reference_product, ("NxD", "DxK"), batch="N", **settings)


def norm(x):
    return (x - jnp.mean(x, 0, keepdims=True)) / jnp.sqrt(jnp.var(x, 0, keepdims=True) + 0.1)


def norm_rule(backward):
    op = jax.custom_vjp(norm)
    op.defvjp(
        lambda x: (norm(x), (norm(x), 1 / jnp.sqrt(jnp.var(x, 0, keepdims=True) + 0.1))), backward
    )
    return Rule(op, None, ("NxK",), batch="N")


def loss(x, labels):
    z = jnp.exp(x) / jnp.sum(jnp.exp(x), 1, keepdims=True)
    return -jnp.mean(jnp.log(jnp.take_along_axis(z, labels[:, None], 1)))


def loss_rule(of_row):
    op = jax.custom_vjp(loss)

    def backward(kept, dz):
        x, labels = kept
        z = jnp.exp(x) / jnp.sum(jnp.exp(x), 1, keepdims=True)
        return of_row(z, jax.nn.one_hot(labels, z.shape[1], dtype=z.dtype), dz), None

    op.defvjp(lambda *args: (loss(*args), args), backward)
    return Rule(op, loss, ("NxK", "N:int<K"), batch="N")


def mean(d):
    return jnp.mean(d, 0, keepdims=True)


CASES = {
    "dw is 1/3 of what it should be, and 3 is the batch size: sum or mean?": product(
        lambda r, dz: (dz @ r[1].T, r[0].T @ dz / len(dz))
    ),
    "dx is right for w transposed in the place of w": product(
        lambda r, dz: (dz @ r[1], r[0].T @ dz)  # it runs where axes have equal lengths
    ),
    "dx is right for w reshaped and transposed in the place of w: is it reshaped where it should "
    "be transposed?": product(lambda r, dz: (dz @ r[1].reshape(r[1].shape[::-1]), r[0].T @ dz)),
    "each of dx and dw is right for ones in the place of dz: the cotangent that came in was not "
    "used": product(lambda r, dz: (jnp.ones_like(dz) @ r[1].T, r[0].T @ jnp.ones_like(dz))),
    "dx is zero: was it left out?; dw has the wrong sign": product(
        lambda r, dz: (0 * r[0], -r[0].T @ dz)
    ),
    "dw is right for the first of axis 0 of dz alone in the place of dz": product(
        lambda r, dz: (dz @ r[1].T, r[0][:1].T @ dz[:1])
    ),
    "dw is right but for the last of axis 1": product(
        lambda r, dz: (dz @ r[1].T, (r[0].T @ dz).at[:, -1].multiply(1.5))
    ),
    "dw is sqrt(4) times what it should be, and 4 is the size of D": product(
        lambda r, dz: (dz @ r[1].T, r[0].T @ dz * r[1].shape[0] ** 0.5)
    ),
    "dx is dz itself: the derivative of the function was left out": Rule(
        unary(jnp.sin, jnp.ones_like), jnp.sin, ("N",)
    ),
    "dx is made of dz times (1 - x^2)": Rule(
        unary(jnp.tanh, lambda x: 1 - x**2), None, ("N",)
    ),
    "dx is right for z in the place of x": Rule(
        unary(jnp.exp, lambda x: jnp.exp(jnp.exp(x))), jnp.exp, ("N",)
    ),
    "the parts of dx that depend on mean(x) and on sum((x - mean(x))^2) were left out": norm_rule(
        lambda r, dz: (dz * r[1],)
    ),
    "the part of dx that depends on sum((x - mean(x))^2) has the wrong sign": norm_rule(
        lambda r, dz: (r[1] * (dz - mean(dz) + r[0] * mean(dz * r[0])),)
    ),
    "dx is 3 times what it should be, and 3 is the batch size: sum or mean?": loss_rule(
        lambda z, y, dz: dz * (z - y)
    ),
    "dx is right for exp(x) / sum(exp(x)) in the place of x": loss_rule(
        lambda z, y, dz: dz * (jax.nn.softmax(z) - y) / len(z)
    ),
    "dx is right for labels plus 1 in the place of labels: counted from 0 or from 1?": loss_rule(
        lambda z, y, dz: dz * (z - jnp.roll(y, 1, 1)) / len(z)
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_a_mistake_is_told(text):
    found = diagnose(CASES[text])
    assert (str(found), found.sure) == (text, True)


def test_a_right_rule_has_no_mistake():
    right = product(lambda residuals, dz: (dz @ residuals[1].T, residuals[0].T @ dz))
    assert diagnose(right) == Diagnosis((), True)


def test_what_matches_nothing_is_said_not_to_be_known():
    odd = product(lambda r, dz: (jnp.sin(dz) @ r[1].T, jnp.cos(r[0]).T @ dz))
    assert str(diagnose(odd)) == "no known mistake matches dx; no known mistake matches dw"
    raises = Rule(custom_vjp_of(lambda residuals, dz: 1 / 0), reference_product, ("NxD", "DxK"))
    for found in (diagnose(odd), diagnose(raises), diagnose(CASES[next(iter(CASES))], timeout=0)):
        assert not found.sure
        assert "no known mistake matches" in str(found)


def test_two_texts_for_the_same_are_one_of_several():
    def times(x, y):
        return x * y

    op = jax.custom_vjp(times)
    op.defvjp(lambda x, y: (x * y, (x, y)), lambda r, dz: (dz * r[1][::-1], dz * r[0]))
    found = diagnose(Rule(op, times, ("2x3", "2x3")))
    texts = [f"y {how} along axis 0" for how in ("flipped", "moved by one", "moved back by one")]
    told = [f"dx is right for {text} in the place of y" for text in texts]
    assert found == Diagnosis((f"one of: {', or '.join(told)}",), False)


def test_only_a_wrong_value_is_told_where_the_cotangents_follow_from_it():
    def bent(x, w):
        z = x @ w
        return jnp.where(z > 0, jnp.sin(z), z), (x, w)

    op = custom_vjp_of(lambda r, dz: (dz @ r[1].T, r[0].T @ dz), bent)
    found = diagnose(Rule(op, reference_product, ("NxD", "DxK")))
    assert str(found) == "no known mistake matches z, which is wrong only where z is above 0"


def test_an_operation_in_the_place_of_the_packages_is_compared_with_the_planted_faults():
    backwards = {
        'dx matches the known fault "transpose left out of (14)"': lambda r, dz: (
            dz @ r[1].reshape(r[1].shape[::-1]), r[0].T @ dz, dz.sum(0)
        ),
        "db is averaged: sum or mean?": lambda r, dz: (
            dz @ r[1].T, r[0].T @ dz, dz.mean(0)
        ),
        "dw is twice what it should be": lambda r, dz: (
            dz @ r[1].T, 2 * r[0].T @ dz, dz.sum(0)
        ),
        "dx is right for w transposed in the place of w": lambda r, dz: (
            dz @ r[1], r[0].T @ dz, dz.sum(0)
        ),
    }  # fmt: skip
    for text, backward in backwards.items():
        op = jax.custom_vjp(DENSE.op.fun)
        op.defvjp(DENSE.op.fwd, backward)
        assert diagnose(DENSE, op) == Diagnosis((text,), True)


def test_a_diagnosis_is_among_the_details_if_there_is_time_and_a_mistake():
    rule = CASES["dx is dz itself: the derivative of the function was left out"]
    result = check_vjp(rule, only=["cotangents"])
    assert f"diagnosis: {diagnose(rule)}" in diagnosed(result, rule, 0, 100.0).as_json()["details"]
    assert diagnosed(result, rule, 0, 1.0).details == result.details
    right = Rule(unary(jnp.sin, jnp.cos), jnp.sin, ("N",))
    assert diagnosed(result, right, 0, 100.0).details == result.details
