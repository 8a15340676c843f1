import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import (
    CONV2D,
    DENSE,
    LEAKY_RELU,
    MAX_POOL,
    RELU,
    SIGMOID,
    SOFTMAX_CROSS_ENTROPY,
)
from ffnn_jax.config import Refusal, preset
from ffnn_jax.layers import softmax_cross_entropy
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv, Dense, Layer, LeakyReLU, MaxPool, ReLU, Sigmoid
from tests.tolerances import tolerance

MNIST = Network(preset("mnist").layers, (28, 28, 1))
SMALL = Network((Conv(3, 3), ReLU(), MaxPool(2), Conv(2, 2, "VALID"), Dense(5)), (9, 8, 2))
LEAKY = Network((Conv(3, 3), LeakyReLU(0.3), MaxPool(2), LeakyReLU(), Dense(5)), (9, 8, 2))
SIGMOIDS = Network((Conv(3, 3), Sigmoid(), MaxPool(2), Dense(9), Sigmoid(), Dense(5)), (9, 8, 2))


def plain_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_2"]["w"], params["conv_2"]["b"], "SAME", 1)
    z = MAX_POOL.reference(RELU.reference(z), 2)
    z = CONV2D.reference(z, params["conv_5"]["w"], params["conv_5"]["b"], "VALID", 1)
    logits = DENSE.reference(z, params["dense_6"]["w"], params["dense_6"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def plain_leaky_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_2"]["w"], params["conv_2"]["b"], "SAME", 1)
    z = LEAKY_RELU.reference(MAX_POOL.reference(LEAKY_RELU.reference(z, 0.3), 2), 0.01)
    logits = DENSE.reference(z, params["dense_6"]["w"], params["dense_6"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def plain_sigmoid_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_2"]["w"], params["conv_2"]["b"], "SAME", 1)
    z = MAX_POOL.reference(SIGMOID.reference(z), 2)
    z = SIGMOID.reference(DENSE.reference(z, params["dense_5"]["w"], params["dense_5"]["b"]))
    logits = DENSE.reference(z, params["dense_7"]["w"], params["dense_7"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def draw_input(network, n, dtype):
    x = jax.random.normal(jax.random.key(1), (n, *network.input_shape), dtype)
    return x, jnp.arange(n, dtype=jnp.int32) % network.output_shape[0]


@pytest.mark.parametrize(
    ("network", "plainly"),
    [(SMALL, plain_loss), (LEAKY, plain_leaky_loss), (SIGMOIDS, plain_sigmoid_loss)],
)
def test_the_gradient_of_a_whole_network_equals_autodiff_of_the_plain_one(x64, network, plainly):
    params = jax.tree.map(lambda a: a.astype(jnp.float64), network.init(jax.random.key(0)))
    x, labels = draw_input(network, 7, jnp.float64)

    def loss(params, x):
        return softmax_cross_entropy(network.apply(params, x), labels)

    ours = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, x)
    theirs = jax.jit(jax.value_and_grad(plainly, argnums=(0, 1)))(params, x, labels)
    allowed = tolerance(jnp.float64, x.size)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, allowed, allowed), ours, theirs)


@pytest.mark.parametrize(("network", "rate"), [(LEAKY, 0.1), (SIGMOIDS, 1.0)])
def test_a_network_with_another_activation_learns_its_batch(network, rate):
    params, (x, labels) = network.init(jax.random.key(0)), draw_input(network, 10, jnp.float32)

    @jax.jit
    def step(params, _):
        loss, gradient = jax.value_and_grad(
            lambda params: softmax_cross_entropy(network.apply(params, x), labels)
        )(params)
        return jax.tree.map(lambda w, dw: w - rate * dw, params, gradient), loss

    params, losses = jax.lax.scan(step, params, length=100)
    assert losses[-1] < 0.05 * losses[0]
    np.testing.assert_array_equal(network.apply(params, x).argmax(1), labels)


def test_parameters_are_named_by_kind_and_by_number_in_table_2():
    params = MNIST.init(jax.random.key(0))
    shapes = {name: {key: a.shape for key, a in layer.items()} for name, layer in params.items()}
    assert shapes == {
        "conv_2": {"w": (5, 5, 1, 16), "b": (16,)},
        "conv_5": {"w": (5, 5, 16, 16), "b": (16,)},
        "dense_8": {"w": (784, 10), "b": (10,)},
    }
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("conv_2", (75 / 2) ** -0.5), ("conv_5", (400 / 2) ** -0.5), ("dense_8", (784 / 2) ** -0.5)],
)
def test_weights_start_with_the_starters_deviation_and_biases_at_zero(name, deviation):
    keys = jax.random.split(jax.random.key(2), 20)
    layer = jax.vmap(MNIST.init)(keys)[name]
    standard_error = 1 / np.sqrt(2 * layer["w"].size)
    assert abs(float(jnp.std(layer["w"])) / deviation - 1) < 5 * standard_error
    assert not layer["b"].any()


def test_the_scale_of_a_description_multiplies_the_start():
    plainly, scaled = (
        Network((Dense(4),), (3, 2, 1)),
        Network((Dense(4, init_scale=0.1),), (3, 2, 1)),
    )
    key = jax.random.key(3)
    ratio = scaled.init(key)["dense_2"]["w"] / plainly.init(key)["dense_2"]["w"]
    np.testing.assert_allclose(ratio, 0.1, rtol=tolerance(jnp.float32))


def test_one_draw_starts_all_layers():
    traced = str(jax.make_jaxpr(MNIST.init)(jax.random.key(0)))
    assert traced.count("random_bits") == 1


def test_the_key_decides_the_start():
    first, again, other = (MNIST.init(jax.random.key(seed)) for seed in (0, 0, 1))
    assert all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(again)))
    assert not np.array_equal(first["conv_5"]["w"], other["conv_5"]["w"])


def test_a_batch_of_none_gives_no_logits():
    params = MNIST.init(jax.random.key(0))
    assert MNIST.apply(params, jnp.zeros((0, 28, 28, 1), jnp.float32)).shape == (0, 10)


def test_a_layer_that_does_not_fit_is_named():
    with pytest.raises(Refusal, match=r"layer 3, MaxPool\(window=5\).*\(4, 4, 2\)"):
        Network((Conv(2, 3), MaxPool(5)), (4, 4, 1))


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="dense: x must be"):
        MNIST.apply(MNIST.init(jax.random.key(0)), jnp.zeros((2, 24, 28, 1), jnp.float32))


def flops(function, *args):
    cost = jax.jit(function).lower(*args).compile().cost_analysis()
    assert cost is not None
    return cost["flops"]


def test_the_gradient_of_the_images_costs_nothing_unless_asked_for():
    params, (x, labels) = MNIST.init(jax.random.key(0)), draw_input(MNIST, 4, jnp.float32)

    def loss(params, x):
        return softmax_cross_entropy(MNIST.apply(params, x), labels)

    summary = MNIST.summary()
    predicted = 4 * (summary.forward_flops + summary.backward_flops)
    trained = flops(jax.grad(loss), params, x)
    assert predicted < trained < 1.1 * predicted
    first_layer = 4 * summary.rows[1].forward_flops
    assert flops(jax.grad(loss, argnums=(0, 1)), params, x) - trained > 0.9 * first_layer


@dataclasses.dataclass(frozen=True)
class Square(Layer):
    """A layer of a user's own, without parameters."""

    title: ClassVar[str] = "Square"

    def apply(self, params, x):
        return x * x


def test_a_layer_of_ones_own_is_applied_and_summed_up():
    network = Network((Dense(4), Square(), Dense(3)), (2, 2, 1))
    params = network.init(jax.random.key(0))
    x = jnp.linspace(-1, 1, 8).reshape(2, 2, 2, 1)
    hidden = DENSE.reference(x, params["dense_2"]["w"], params["dense_2"]["b"])
    expected = DENSE.reference(hidden * hidden, params["dense_4"]["w"], params["dense_4"]["b"])
    np.testing.assert_allclose(network.apply(params, x), expected, rtol=tolerance("float32", 4))
    assert network.summary().rows[2].title == "Square"


@dataclasses.dataclass(frozen=True)
class Shift(Layer):
    """A layer of a user's own, with parameters that it draws itself."""

    title: ClassVar[str] = "Shift"

    def init(self, key, shape):
        return {"by": jax.random.uniform(key, shape)}

    def apply(self, params, x):
        return x + params["by"][None]


def test_a_layer_of_ones_own_draws_its_parameters_and_is_counted():
    network = Network((Shift(), Dense(4), Shift(), Dense(3)), (2, 2, 1))
    params = network.init(jax.random.key(0))
    assert params["shift_2"]["by"].shape == (2, 2, 1)
    assert not set(params["shift_2"]["by"].ravel().tolist()) & set(params["shift_4"]["by"].tolist())
    without = Network((Dense(4), Dense(3)), (2, 2, 1)).init(jax.random.key(0))
    np.testing.assert_array_equal(params["dense_3"]["w"], without["dense_2"]["w"])
    rows = network.summary().rows
    assert [row.parameters for row in rows[1:5]] == [4, 20, 4, 15]
    assert rows[1].cells()[6] == "4"
    x = jnp.zeros((1, 2, 2, 1))
    hidden = params["shift_2"]["by"][None]
    hidden = DENSE.reference(hidden, params["dense_3"]["w"], params["dense_3"]["b"])
    hidden = hidden + params["shift_4"]["by"][None]
    expected = DENSE.reference(hidden, params["dense_5"]["w"], params["dense_5"]["b"])
    np.testing.assert_allclose(network.apply(params, x), expected, rtol=tolerance("float32", 4))


def test_a_layer_that_is_made_of_one_of_ours_has_its_own_way():
    class Doubled(ReLU):
        def apply(self, params, x):
            return 2 * x

    network = Network((Doubled(), Dense(3)), (2, 2, 1))
    params, x = network.init(jax.random.key(0)), -jnp.ones((1, 2, 2, 1))
    expected = DENSE.reference(2 * x, params["dense_3"]["w"], params["dense_3"]["b"])
    np.testing.assert_allclose(network.apply(params, x), expected, rtol=tolerance("float32", 4))


@pytest.mark.parametrize("given", [jnp.ones(3), {"n": jnp.arange(3)}, {"a": 0.5}, {0: jnp.ones(3)}])
def test_parameters_that_could_not_be_trained_are_refused(given):
    own = type("Own", (Shift,), {"init": lambda self, key, shape: given})
    network = Network((own(), Dense(3)), (2, 2, 1))
    with pytest.raises(TypeError, match=r"Own\(\): init must give a dict of floating-point arrays"):
        network.init(jax.random.key(0))


def test_a_layer_that_cannot_be_applied_is_named():
    network = Network((Layer(), Dense(3)), (2, 2, 1))
    with pytest.raises(TypeError, match=r"Layer\(\): no layer of this package, and it has no"):
        network.apply(network.init(jax.random.key(0)), jnp.zeros((1, 2, 2, 1)))
