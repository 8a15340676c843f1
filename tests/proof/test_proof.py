"""What is proved is right, what is wrong has a counterexample, and the rest is not decided."""

import sys

import jax
import jax.numpy as jnp
import pytest

pytest.importorskip("flint")

from ffnn_jax.proof import prove_equal, prove_vjp
from ffnn_jax.verify import Rule
from tests.verify.toys import correct_backward, custom_vjp_of, forward, reference_product, unary


def proved(op, reference, *words, **settings):
    return prove_vjp(op, reference, *words, **settings).verdict


def scaled(factor):
    return custom_vjp_of(lambda kept, dz: (factor * dz @ kept[1].T, kept[0].T @ dz))


def test_a_correct_rule_is_proved_for_every_entry():
    proof = prove_vjp(custom_vjp_of(correct_backward), reference_product, "NxD", "DxK")
    assert proof
    assert (proof.verdict, proof.cases, proof.entries) == ("proved", 1, 2 * 3 + 3 * 4)
    assert proof.shapes == ((2, 3), (3, 4))
    assert "dot_general" in proof.primitives
    assert str(proof).startswith("proved at 2x3 3x4, 1 case, ")


def test_a_wrong_rule_has_a_counterexample_in_rational_numbers():
    proof = prove_vjp(
        scaled(1.0001), reference_product, "NxD", "DxK", sizes={"N": 1, "D": 1, "K": 1}
    )
    assert not proof
    assert proof.reason.startswith("dx[0, 0] is off by ")
    assert " at x = [" in proof.reason
    numbers = dict(part.split(" = ") for part in proof.reason.split(" at ")[1].split("; "))
    w, dz = (eval(numbers[name].strip("[]")) for name in ("w", "cotangent"))
    assert float(proof.reason.split(" ")[5]) == pytest.approx(0.0001 * w * dz, rel=1e-4)


def test_a_wrong_value_is_disproved_too():
    op = custom_vjp_of(correct_backward, lambda x, w: (2 * x @ w, (x, w)))
    assert prove_vjp(op, reference_product, "NxD", "DxK").reason.startswith("the value is off by")


def test_a_custom_jvp_and_plain_jax_are_proved_as_well():
    assert prove_vjp(jax.nn.silu, lambda x: x / (1 + jnp.exp(-x)), "N")
    assert prove_vjp(jnp.tanh, lambda x: jnp.sinh(x) / jnp.cosh(x), "N").verdict == "not decided"
    softmax = lambda x: jnp.exp(x) / jnp.exp(x).sum()  # noqa: E731
    assert prove_vjp(jax.nn.softmax, softmax, "N", sizes={"N": 3}).cases == 9


def test_a_rule_says_its_reference_and_its_arguments():
    rule = Rule(custom_vjp_of(correct_backward), reference_product, ("NxD", "DxK"))
    assert prove_vjp(rule)
    with pytest.raises(ValueError, match=r"^reference: a proof needs the definition"):
        prove_vjp(Rule(custom_vjp_of(correct_backward), None, ("NxD", "DxK")))


@pytest.mark.parametrize(
    ("at_zero", "ties", "verdict"),
    [(0, "number", "proved"), (1, "number", "disproved"), (0, "below", "proved"),
     (1, "below", "disproved"), (1, "any", "proved"), (0.5, "any", "disproved")],
)  # fmt: skip
def test_a_tie_takes_the_stated_piece(at_zero: float, ties: str, verdict: str):
    slope = lambda x: jnp.where(x > 0, 1.0, jnp.where(x == 0, at_zero, 0.0))  # noqa: E731
    op = unary(lambda x: jnp.maximum(x, 0.0), slope)
    proof = prove_vjp(op, lambda x: jnp.maximum(x, 0.0), "N", ties=ties)
    assert proof.verdict == verdict
    assert proof.cases == 9 or verdict == "disproved"


def test_a_fault_at_one_order_of_three_numbers_is_found():
    def first_of_largest(x):
        return jnp.max(x)

    op = jax.custom_vjp(first_of_largest)
    wrong = lambda x, dz: (jnp.where(jnp.arange(3) == jnp.where(x[0] > x[2], 0, 2), dz, 0.0),)  # noqa: E731
    op.defvjp(lambda x: (first_of_largest(x), x), wrong)
    assert proved(op, first_of_largest, "3") == "disproved"


def test_a_root_can_be_zero_and_an_odd_one_negative():
    def rectified(x):
        return jnp.where(jnp.cbrt(x) > 0, x, 0.0)

    assert proved(rectified, lambda x: x, "N", sizes={"N": 1}) == "disproved"
    assert prove_equal(rectified, lambda x: jnp.where(x > 0, x, 0.0), "N")
    with_zero = lambda x: jnp.where(jnp.sqrt(x**2) > 0, 1.0, 0.0)  # noqa: E731
    assert prove_equal(with_zero, lambda x: jnp.where(x == 0, 0.0, 1.0), "N", sizes={"N": 1})
    assert not prove_equal(with_zero, lambda x: jnp.ones_like(x), "N", sizes={"N": 1})


@pytest.mark.parametrize("index", [0, 1])
def test_any_of_equal_maxima_may_have_the_gradient(index: int):
    def rule(kept, dz):
        chosen = kept[0] >= kept[1] if index else kept[0] > kept[1]
        return (jnp.where(chosen, jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])) * dz,)

    largest = lambda x: jnp.max(x)  # noqa: E731
    op = jax.custom_vjp(largest)
    op.defvjp(lambda x: (largest(x), x), rule)
    assert proved(op, largest, "2") == "proved"


def test_every_value_of_an_integer_argument_is_tried():
    def chosen(x, k):
        return x[k].sum()

    def last_is_wrong(kept, dz):
        x, k = kept
        return jnp.zeros_like(x).at[k].add(jnp.where(k == 2, 2 * dz, dz)), None

    right = lambda kept, dz: (jnp.zeros_like(kept[0]).at[kept[1]].add(dz), None)  # noqa: E731
    for backward, verdict in ((right, "proved"), (last_is_wrong, "disproved")):
        op = jax.custom_vjp(chosen)
        op.defvjp(lambda x, k: (chosen(x, k), (x, k)), backward)
        proof = prove_vjp(op, chosen, "3", "N:int<3", sizes={"N": 1})
        assert proof.verdict == verdict
        assert proof.cases == 3 or verdict == "disproved"


def test_a_proof_holds_within_the_bound_alone():
    op = unary(lambda x: jnp.clip(x, -5, 5) ** 2, lambda x: jnp.where(x < -5, 0.0, 2 * x))
    assert proved(op, lambda x: x**2, "N", within=5) == "proved"
    assert proved(op, lambda x: x**2, "N", within=6) == "disproved"


def test_what_is_unknown_is_not_decided():
    proof = prove_vjp(jnp.sin, lambda x: jnp.sin(x), "N")
    assert (proof.verdict, proof.reason) == ("not decided", "the primitive sin")
    stopped = lambda x: jax.lax.stop_gradient(x) * x  # noqa: E731
    assert prove_vjp(stopped, stopped, "N").reason == "stop_gradient in the definition"


def test_too_many_cases_and_too_little_time_are_not_decided(monkeypatch: pytest.MonkeyPatch):
    relu, reference = jax.nn.relu, lambda x: jnp.maximum(x, 0)
    monkeypatch.setattr("ffnn_jax.proof._prover.MOST_CASES", 80)
    many = prove_vjp(relu, reference, "N", sizes={"N": 4})
    assert (many.verdict, many.reason) == ("not decided", "more than 80 cases")
    late = prove_vjp(relu, reference, "N", sizes={"N": 4}, timeout=0)
    assert late.reason == "out of time"


def test_equal_functions_are_proved_equal_and_others_not():
    variance = lambda x: ((x - x.mean(0, keepdims=True)) ** 2).sum(0)  # noqa: E731
    assert prove_equal(variance, lambda x: (x**2).sum(0) - x.sum(0) ** 2 / len(x), "NxD")
    proof = prove_equal(variance, lambda x: (x**2).sum(0) - x.sum(0) ** 2, "NxD")
    assert proof.verdict == "disproved"
    assert "cotangent" not in proof.reason


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match=r"ties: unknown 'numbr' .known: any, .*mean number\?$"):
        prove_vjp(forward, forward, "N", ties="numbr")
    with pytest.raises(ValueError, match=r"must return the same shapes, got .*2.* and "):
        prove_equal(lambda x: x, lambda x: x.sum(), "N")


def test_without_flint_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("ffnn_jax.proof._prover")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("ffnn_jax.proof.algebra")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("ffnn_jax.proof._prover")
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(
        ImportError, match=r"a proof needs flint, .* install \"ffnn-jax\[proof\]\"$"
    ):
        prove_equal(lambda x: x, lambda x: x, "N")
