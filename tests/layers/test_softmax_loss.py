import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import SOFTMAX, SOFTMAX_CROSS_ENTROPY
from ffnn_jax.layers import (
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    softmax_forward,
)
from ffnn_jax.verify import Rule, check_vjp
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)

LABELS = (2, 0, 3, 3, 1)


def labels(dtype: str = "int32") -> jax.Array:
    return jnp.array(LABELS, dtype)


def loss(logits: jax.Array) -> jax.Array:
    return softmax_cross_entropy(logits, labels())


def test_all_catalogue_checks_pass():
    """Autodiff of (20) gives (softmax.1), of (21) and (23) gives (22)."""
    assert_verified(SOFTMAX)
    assert_verified(SOFTMAX_CROSS_ENTROPY)


def test_probabilities_20_worked_by_hand():
    z = softmax(jnp.log(jnp.array([[1.0, 2, 5], [3, 3, 2]])))
    assert_close(z, jnp.array([[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]]), 3)


def test_cotangent_softmax_1_worked_by_hand():
    """(softmax.1) with z = (1/4, 3/4), dz = (4, 8): the mean of dz is 7."""
    (dx,) = softmax_backward(jnp.array([0.25, 0.75]), jnp.array([4.0, 8.0]))
    np.testing.assert_array_equal(dx, [-0.75, 0.75])


def test_loss_21_23_and_gradient_22_worked_by_hand():
    x, c = jnp.log(jnp.array([[1.0, 2, 5], [3, 3, 2]])), jnp.array([1, 2])
    assert_close(softmax_cross_entropy(x, c), jnp.log(4.0), 3)
    dx = jax.grad(softmax_cross_entropy)(x, c)
    assert_close(dx, jnp.array([[0.125, -0.75, 0.625], [0.375, 0.375, -0.75]]) / 2, 3)


def test_softmax_1_implies_22():
    """Softmax followed by the negative log likelihood is the fused loss, and so is its gradient."""

    def in_two_steps(logits: jax.Array) -> jax.Array:
        z = softmax(logits)
        return -jnp.mean(jnp.log(z[jnp.arange(5), labels()]))

    assert_same_rule(loss, in_two_steps, "5x4")


def test_loss_23_is_the_mean_of_the_losses_21():
    x = normal(0, 5, 4)
    alone = [jax.jit(softmax_cross_entropy)(x[n, None], labels()[n, None]) for n in range(5)]
    assert_close(loss(x), sum(alone) / 5, 5)


def test_gradient_22_sums_to_zero_over_the_classes():
    dx = jax.grad(loss)(normal(0, 5, 4))
    assert_close(dx.sum(1), jnp.zeros(5), 4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64"])
def test_labels_may_be_of_any_integer_dtype(dtype):
    x = normal(0, 5, 4)
    run = jax.value_and_grad(softmax_cross_entropy)
    assert_same_bits(run(x, labels(dtype)), run(x, labels("int32")))


def test_labels_of_more_classes_than_int8_can_count():
    x, c = normal(0, 1, 200), jnp.array([199], jnp.uint8)
    expected = SOFTMAX.reference(x) - jnp.eye(200)[199:]
    assert_close(jax.grad(softmax_cross_entropy)(x, c), expected, 200)


def test_labels_have_no_cotangent():
    _, pull = jax.vjp(softmax_cross_entropy, normal(0, 5, 4), labels())
    assert pull(jnp.ones(()))[1].dtype == jax.dtypes.float0
    assert softmax_cross_entropy_backward((normal(0, 5, 4), labels()), jnp.ones(()))[1] is None


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_logits_of_ten_thousand_do_not_overflow(dtype):
    x = jnp.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    z, (dz,) = value_and_cotangents(softmax, [x], jnp.ones_like(x).at[:, 0].set(3))
    assert_close(z, jnp.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))
    assert_close(dz, jnp.array([[0, 0, 0], [4 / 9, -2 / 9, -2 / 9]]))
    value, dx = jax.value_and_grad(softmax_cross_entropy)(x, jnp.array([1, 1]))
    assert_close(value, jnp.array((2 * float(x[0, 0]) + np.log(3)) / 2))
    assert_close(dx, jnp.array([[1 / 2, -1 / 2, 0], [1 / 6, -1 / 3, 1 / 6]]))


def test_a_constant_added_to_every_score_cancels():
    x = normal(0, 5, 4)
    assert_close(jax.grad(loss)(x + 1e4), jax.grad(loss)(x))


def test_residuals_are_the_probabilities_and_the_labels():
    x = normal(0, 5, 4)
    assert_same_bits(softmax_forward(x)[1], softmax(x))
    z, c = softmax_cross_entropy_forward(x, labels("int8"))[1]
    assert_close(z, SOFTMAX.reference(x), 4)
    assert_same_bits(c, labels("int8"))
    assert kept_residuals(softmax, x) == [("float64", (5, 4))]
    assert kept_residuals(softmax_cross_entropy, x, labels("int8")) == [
        ("float64", (5, 4)),
        ("int8", (5,)),
    ]


def test_an_empty_batch_has_loss_nan_and_a_gradient_without_rows():
    """(23) is a mean over nothing."""
    x, c = jnp.ones((0, 4)), jnp.ones((0,), jnp.int32)
    value, dx = jax.value_and_grad(softmax_cross_entropy)(x, c)
    assert jnp.isnan(value) and value.shape == ()
    assert dx.shape == (0, 4)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_label_out_of_range_makes_the_loss_and_its_row_of_the_gradient_nan(wrong):
    loss, dx = jax.value_and_grad(softmax_cross_entropy)(normal(0, 2, 4), jnp.array([1, wrong]))
    assert jnp.isnan(loss)
    np.testing.assert_array_equal(jnp.isnan(dx), [[False] * 4, [True] * 4])


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (jnp.ones((3,)), jnp.ones((3,), int), "logits must be of shape"),
        (jnp.ones((3, 0)), jnp.ones((3,), int), "logits must be of shape"),
        (jnp.ones((3, 2), int), jnp.ones((3,), int), "logits must be of a floating-point"),
        (jnp.ones((3, 2)), jnp.ones((2,), int), "labels must be of shape .3,., got .2,"),
        (jnp.ones((3, 2)), jnp.ones((3, 1), int), "labels must be of shape"),
        (jnp.ones((3, 2)), jnp.ones((3,)), "labels must be of an integer dtype, got float32"),
        (jnp.ones((3, 2)), jnp.ones((3,), bool), "labels must be of an integer dtype, got bool"),
    ],
)
def test_bad_logits_and_labels_are_rejected(logits, labels, message):
    with pytest.raises(ValueError, match="softmax_cross_entropy: " + message):
        softmax_cross_entropy(logits, labels)


@pytest.mark.parametrize("x", [jnp.ones(()), jnp.ones((2, 0)), jnp.ones((2, 3), int)])
def test_softmax_rejects_inputs_without_scores(x):
    with pytest.raises(ValueError, match="softmax: x must be"):
        softmax(x)


def test_with_one_class_the_gradient_cancels_and_the_checker_allows_for_it():
    """The loss is 0: in float64 the reference implementation's gradient is only rounding error."""
    rule = Rule(
        softmax_cross_entropy,
        SOFTMAX_CROSS_ENTROPY.reference,
        ("NxK", "N:int<K"),
        batch="N",
        reduces="mean",
        sizes=[{"N": n, "K": 1} for n in (5, 9)],
    )
    report = check_vjp(rule, only=["float32", "bfloat16", "float16"])
    assert report.passed, str(report)
