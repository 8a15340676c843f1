"""Micro-batches give the loss, the logits and the gradients of the whole batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import CONV2D, DENSE, MAX_POOL, RELU, SOFTMAX_CROSS_ENTROPY
from ffnn_jax.layers.fast import MICRO_BATCH, forms
from ffnn_jax.network import Network, partition
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU
from ffnn_jax.proof import prove_equal
from ffnn_jax.training import loss_and_gradients, make_loss
from tests.tolerances import tolerance

NETWORK = Network((Conv(3, 3, init_scale=0.5), ReLU(), MaxPool(2), Dense(4)), (6, 5, 2))
LOSS = make_loss(NETWORK, "float32")


def drawn(images: int, dtype: str = "float64"):
    params, _ = jax.tree.map(lambda a: a.astype(dtype), NETWORK.init(jax.random.key(0)))
    generator = np.random.default_rng(images)
    x = jnp.asarray(generator.standard_normal((images, 6, 5, 2)).astype(dtype))
    return params, x, jnp.asarray(generator.integers(0, 4, images, np.int32))


def ours(params, x, labels):
    """Loss, logits and gradients of all parameters."""
    trained, frozen = partition(params, NETWORK.param_attribute("trained"))
    batch = x, labels, None
    loss, logits, _, grads = loss_and_gradients(LOSS, trained, frozen, {}, batch)
    return loss, logits, grads


def reference(params, x, labels):
    """The same network, of reference implementations for autodiff."""
    z = CONV2D.reference(x, params["conv_1"]["w"], params["conv_1"]["b"], "SAME", 1)
    z = MAX_POOL.reference(RELU.reference(z), 2).reshape(len(labels), 3 * 2 * 3)
    logits = DENSE.reference(z, params["dense_4"]["w"], params["dense_4"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels), logits


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "images", [18, 64, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 16, 19))]
)
def test_loss_logits_and_gradients_match_autodiff_on_the_whole_batch(images: int):
    batch = drawn(images)
    loss, logits, grads = jax.jit(ours)(*batch)
    expected, expected_grads = jax.value_and_grad(reference, has_aux=True)(*batch)
    actual = jax.tree.leaves((loss, logits, grads))
    known = jax.tree.leaves((*expected, expected_grads))
    for a, b in zip(actual, known, strict=True):
        allowed = tolerance("float64", 30 * images)
        np.testing.assert_allclose(a, b, rtol=allowed, atol=allowed)


@pytest.mark.parametrize(
    ("images", "size"),
    [(16, 16), (17, 17), (18, 9), (32, 16), (34, 34), (100, 10), (128, 16), (26, 13)],
)
def test_a_cpu_uses_equal_micro_batches_of_8_to_16_images(images: int, size: int):
    text = lowered(images, "cpu")
    assert ("stablehlo.while" in text) == (size < images)
    assert f"tensor<{size}x6x5x2xf32>" in text


@pytest.mark.parametrize(("images", "size"), [(128, 32), (60, 30), (24, 24)])
def test_a_table_of_forms_names_the_largest_micro_batch(images: int, size: int):
    with forms(((MICRO_BATCH, "32"),)):
        text = lowered(images, "cpu")
    assert ("stablehlo.while" in text) == (size < images)
    assert f"tensor<{size}x6x5x2xf32>" in text


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_platforms_process_the_batch_at_once(platform: str):
    assert "stablehlo.while" not in lowered(128, platform)


def lowered(images: int, platform: str) -> str:
    params, x, labels = drawn(images, "float32")
    return jax.jit(ours).trace(params, x, labels).lower(lowering_platforms=(platform,)).as_text()


def test_an_empty_batch_has_no_loss_and_no_gradient():
    loss, logits, grads = ours(*drawn(0, "float32"))
    assert np.isnan(loss)
    assert logits.shape == (0, 4)
    assert not np.any(np.asarray(grads["dense_4"]["b"]))


@pytest.mark.parametrize("images", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_micro_batches_compute_the_same_numbers_as_the_whole_batch_for_all_numbers(images: int):
    pytest.importorskip("flint")
    network, labels = Network((Dense(2),), (3,)), jnp.arange(images, dtype=np.int32) % 2
    loss_of = make_loss(network, "float32")

    def with_table(table):
        def of(x, w, b):
            params = {"dense_1": {"w": w, "b": b}}
            frozen = jax.tree.map(lambda a: None, params)
            with forms(table):
                loss, logits, _, grads = loss_and_gradients(
                    loss_of, params, frozen, {}, (x, labels, None)
                )
            return loss, logits, grads

        return of

    halves = with_table(((MICRO_BATCH, str(images // 2)),))
    proof = prove_equal(halves, with_table(()), f"{images}x3", "3x2", "2")
    assert proof.verdict == "proved", proof.reason
    assert "scan" in str(jax.make_jaxpr(halves)(*map(jnp.ones, ((images, 3), (3, 2), 2))))
