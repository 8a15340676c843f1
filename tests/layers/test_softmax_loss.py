import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import SOFTMAX, SOFTMAX_CROSS_ENTROPY
from ffnn_jax.layers import (
    softmax,
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


of_classes = jax.jit(jax.value_and_grad(softmax_cross_entropy), static_argnums=(2, 3))
of_both = jax.jit(jax.value_and_grad(softmax_cross_entropy, (0, 1)), static_argnums=(2, 3))


def loss(logits: jax.Array) -> jax.Array:
    return softmax_cross_entropy(logits, labels())


@pytest.mark.slow
def test_all_catalogue_checks_pass():
    """Autodiff of (20) gives (softmax.1), of (21) and (23) gives (22)."""
    assert_verified(SOFTMAX)
    assert_verified(SOFTMAX_CROSS_ENTROPY)


@pytest.mark.parametrize("kind", ["2:int<3", "2x3"])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.25)])
def test_value_and_cotangents_are_those_of_the_reference(kind, weights):
    """Autodiff of (softmax.4) gives (softmax.7) and (softmax.8)."""
    static = {"smoothing": 0.25, "weights": weights}
    both = softmax_cross_entropy, SOFTMAX_CROSS_ENTROPY.reference
    ours, theirs = (functools.partial(f, **static) for f in both)
    assert_same_rule(ours, theirs, "2x3", kind)


def test_smoothing_softmax_2_and_weights_softmax_3_worked_by_hand():
    """Here z = (1/8, 1/4, 5/8), t = (1/8, 3/4, 1/8), q = (1/2, 3/2, 1) and (softmax.4) is
    (1/2 log 8 + 3/2 log 4 + log 8/5) / D. By (softmax.5) D is w_1 = 2 for the class, and 1 for the
    same distribution; by (softmax.7) dx = (3 z - q) / D.
    """
    x, static = jnp.log(jnp.array([[1.0, 2, 5]])), (0.375, (4, 2.0, 8))
    total, row = 4.5 * np.log(2) + np.log(1.6), np.array([[-1, -6, 7]]) / 8
    loss, dx = of_classes(x, jnp.array([1]), *static)
    assert_close((loss, dx), (total / 2, row / 2), 3)
    loss, (dx, _) = of_both(x, jnp.array([[0.0, 1, 0]]), *static)
    assert_close((loss, dx), (total, row), 3)


def test_cotangent_of_a_distribution_softmax_8_worked_by_hand():
    """-dL/N (1 - s) w_k log z_k with log z of (softmax.6), N = 2, dL = 6, s = 1/2, w = (1, 2)."""
    x, y = jnp.log(jnp.array([[1.0, 1], [1, 3]])), jnp.array([[0.5, 0.5], [0, 1]])
    _, dy = softmax_cross_entropy_backward(0.5, (1.0, 2.0), (x, y), jnp.array(6.0))
    assert_close(dy, 1.5 * np.log([[2, 4], [4, 16 / 9]]), 2)


def test_a_one_hot_distribution_has_the_loss_of_its_class():
    """With weights the divisors (softmax.5) differ: N, and the sum of the classes' weights."""
    x, y, w = normal(0, 5, 4), jnp.asarray(np.eye(4)[np.array(LABELS)]), (0.5, 3.0, 1.0, 2.0)
    for static, mean in ((0.1, None), 1), ((0.1, w), sum(w[c] for c in LABELS) / 5):
        loss, (dx, _) = of_both(x, y, *static)
        expected = jax.tree.map(lambda v, by=mean: by * v, of_classes(x, labels(), *static))
        assert_close((loss, dx), expected, 5)


def test_softmax_1_implies_22():
    """Softmax followed by the negative log likelihood is the fused loss, and so is its gradient."""

    def in_two_steps(logits: jax.Array) -> jax.Array:
        z = softmax(logits)
        return -jnp.mean(jnp.log(z[jnp.arange(5), labels()]))

    assert_same_rule(loss, in_two_steps, "5x4")


def test_loss_23_is_the_mean_of_the_losses_21():
    x = normal(0, 5, 4)
    alone = [of_classes(x[n, None], labels()[n, None])[0] for n in range(5)]
    assert_close(loss(x), sum(alone) / 5, 5)


def test_gradient_22_sums_to_zero_over_the_classes():
    _, dx = of_classes(normal(0, 5, 4), labels())
    assert_close(dx.sum(1), jnp.zeros(5), 4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64"])
def test_labels_may_be_of_any_integer_dtype(dtype):
    x = normal(0, 5, 4)
    assert_same_bits(of_classes(x, labels(dtype)), of_classes(x, labels("int32")))


def test_labels_of_more_classes_than_int8_can_count():
    x, c = normal(0, 1, 200), jnp.array([199], jnp.uint8)
    expected = SOFTMAX.reference(x) - jnp.eye(200)[199:]
    assert_close(of_classes(x, c)[1], expected, 200)


def test_labels_have_no_cotangent():
    _, pull = jax.vjp(softmax_cross_entropy, normal(0, 5, 4), labels())
    assert pull(jnp.ones(()))[1].dtype == jax.dtypes.float0
    residuals = normal(0, 5, 4), labels()
    assert softmax_cross_entropy_backward(0.0, None, residuals, jnp.ones(()))[1] is None


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_logits_of_ten_thousand_do_not_overflow(dtype):
    x = jnp.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    z, (dz,) = value_and_cotangents(softmax, [x], jnp.ones_like(x).at[:, 0].set(3))
    assert_close(z, jnp.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))
    assert_close(dz, jnp.array([[0, 0, 0], [4 / 9, -2 / 9, -2 / 9]]))
    value, dx = of_classes(x, jnp.array([1, 1]))
    assert_close(value, jnp.array((2 * float(x[0, 0]) + np.log(3)) / 2))
    assert_close(dx, jnp.array([[1 / 2, -1 / 2, 0], [1 / 6, -1 / 3, 1 / 6]]))


def test_logits_of_ten_thousand_stay_finite_for_a_smoothed_distribution():
    """-log z is 2e4 where z underflows, and (softmax.8) has it."""
    loss, (dx, dy) = of_both(jnp.array([[1e4, -1e4]]), jnp.array([[1.0, 0]]), 0.5)
    assert (loss, dx.tolist(), dy.tolist()) == (5e3, [[0.25, -0.25]], [[0, 1e4]])


@pytest.mark.parametrize("masked", [-np.inf, -1e30])
def test_a_class_of_probability_0_and_share_0_contributes_0(masked):
    """Its q is 0 by (softmax.3); a weight of 0 also makes its part of (softmax.8) 0."""
    x, y = jnp.array([[0.0, 0.0, masked]]), jnp.array([[0.25, 0.75, 0.0]])
    loss, (dx, dy) = of_both(x, y, 0.0, (1, 1, 0))
    expected = np.log(2.0), np.array([[0.25, -0.25, 0]]), np.log(2.0) * np.array([[1, 1, 0]])
    assert_close((loss, dx, dy), expected)
    loss, (dx, dy) = of_both(x, y)
    assert_close((loss, dx), expected[:2])
    assert dy[0, 2] == -masked


def test_classes_that_all_have_weight_0_have_loss_and_gradient_nan():
    """D of (softmax.5) is 0, as in PyTorch."""
    loss, dx = of_classes(jnp.ones((1, 2)), jnp.array([1]), 0, (1, 0))
    assert jnp.isnan(loss) and jnp.isnan(dx).all()


def test_distributions_stay_in_float32_beside_narrower_logits():
    x, y = normal(0, 2, 3).astype("bfloat16"), jnp.full((2, 3), 1 / 3, "float32")
    _, (dx, dy) = of_both(x, y)
    assert dx.dtype == "bfloat16"
    assert_same_bits(dy, of_both(x.astype("float32"), y)[1][1])


def test_a_constant_added_to_every_score_cancels():
    x = normal(0, 5, 4)
    assert_close(of_classes(x + 1e4, labels()), of_classes(x, labels()))


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
    assert kept_residuals(softmax_cross_entropy, x, x) == 2 * [("float64", (5, 4))]


def test_an_empty_batch_has_loss_nan_and_a_gradient_without_rows():
    """(23) is a mean over nothing."""
    x, c = jnp.ones((0, 4)), jnp.ones((0,), jnp.int32)
    value, dx = of_classes(x, c)
    assert jnp.isnan(value) and value.shape == ()
    assert dx.shape == (0, 4)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_label_out_of_range_makes_the_loss_and_its_row_of_the_gradient_nan(wrong):
    loss, dx = of_classes(normal(0, 2, 4), jnp.array([1, wrong]))
    assert jnp.isnan(loss)
    np.testing.assert_array_equal(jnp.isnan(dx), [[False] * 4, [True] * 4])


TWO = jnp.ones((3, 2))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (jnp.ones((3,)), LABELS[:3], "logits must be of shape"),
        (jnp.ones((3, 0)), LABELS[:3], "logits must be of shape"),
        (jnp.ones((3, 2), int), LABELS[:3], "logits must be of a floating-point"),
        (TWO, LABELS[:2], "labels must be of shape .3,. or .3, 2., got .2,"),
        (TWO, jnp.ones((3, 1), int), "labels must be of shape"),
        (TWO, jnp.ones((3, 2), int), "labels must be of logits' dtype float32, got int"),
        (TWO, jnp.ones((3,)), "labels must be of an integer dtype, got float32"),
        (TWO, jnp.ones((3,), bool), "labels must be of an integer dtype, got bool"),
    ],
)
def test_bad_logits_and_labels_are_rejected(logits, labels, message):
    with pytest.raises(ValueError, match="softmax_cross_entropy: " + message):
        softmax_cross_entropy(logits, jnp.asarray(labels))


@pytest.mark.parametrize("smoothing", [1.0, -0.1, True, "0.1"])
def test_a_smoothing_outside_its_range_is_rejected(smoothing):
    message = "softmax_cross_entropy: smoothing must be a number of at least 0 and below 1, got "
    with pytest.raises(ValueError, match=message + repr(smoothing)):
        softmax_cross_entropy(TWO, jnp.zeros(3, int), smoothing)


@pytest.mark.parametrize("weights", [[1.0, 1.0], np.ones(2), (1.0,), (1.0, np.inf), (1.0, -1.0)])
def test_weights_other_than_a_tuple_of_numbers_are_rejected(weights):
    message = "weights must be None or a tuple of 2 finite numbers of at least 0, got "
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(TWO, jnp.zeros(3, int), 0.0, weights)


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
