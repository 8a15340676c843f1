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
from ffnn_jax.config import UserError, preset
from ffnn_jax.layers import conv2d, softmax_cross_entropy
from ffnn_jax.network import Network
from ffnn_jax.nn import (
    BatchNorm,
    Constant,
    Conv,
    Dense,
    Dirac,
    FromImages,
    Layer,
    LeakyReLU,
    MaxPool,
    Normal,
    Param,
    ReLU,
    Sigmoid,
)
from tests.tolerances import tolerance

MNIST = Network(preset("mnist").layers, (28, 28, 1))
SMALL = Network((Conv(3, 3), ReLU(), MaxPool(2), Conv(2, 2, "VALID"), Dense(5)), (9, 8, 2))
LEAKY = Network((Conv(3, 3), LeakyReLU(0.3), MaxPool(2), LeakyReLU(), Dense(5)), (9, 8, 2))
LOGISTIC = Network((Conv(3, 3), Sigmoid(), MaxPool(2), Dense(9), Sigmoid(), Dense(5)), (9, 8, 2))


def reference_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_1"]["w"], params["conv_1"]["b"], "SAME", 1)
    z = MAX_POOL.reference(RELU.reference(z), 2)
    z = CONV2D.reference(z, params["conv_4"]["w"], params["conv_4"]["b"], "VALID", 1)
    logits = DENSE.reference(z, params["dense_5"]["w"], params["dense_5"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def reference_leaky_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_1"]["w"], params["conv_1"]["b"], "SAME", 1)
    z = LEAKY_RELU.reference(MAX_POOL.reference(LEAKY_RELU.reference(z, 0.3), 2), 0.01)
    logits = DENSE.reference(z, params["dense_5"]["w"], params["dense_5"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def reference_sigmoid_loss(params, x, labels):
    z = CONV2D.reference(x, params["conv_1"]["w"], params["conv_1"]["b"], "SAME", 1)
    z = MAX_POOL.reference(SIGMOID.reference(z), 2)
    z = SIGMOID.reference(DENSE.reference(z, params["dense_4"]["w"], params["dense_4"]["b"]))
    logits = DENSE.reference(z, params["dense_6"]["w"], params["dense_6"]["b"])
    return SOFTMAX_CROSS_ENTROPY.reference(logits, labels)


def draw_input(network, n, dtype):
    x = jax.random.normal(jax.random.key(1), (n, *network.input_shape), dtype)
    return x, jnp.arange(n, dtype=jnp.int32) % network.output_shape[0]


@pytest.mark.parametrize(
    ("network", "reference"),
    [(SMALL, reference_loss), (LEAKY, reference_leaky_loss), (LOGISTIC, reference_sigmoid_loss)],
)
def test_the_gradient_of_a_network_equals_autodiff_of_the_reference(x64, network, reference):
    params, _ = jax.tree.map(lambda a: a.astype(jnp.float64), network.init(jax.random.key(0)))
    x, labels = draw_input(network, 7, jnp.float64)

    def loss(params, x):
        return softmax_cross_entropy(network.apply(params, {}, x)[0], labels)

    actual = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, x)
    expected = jax.jit(jax.value_and_grad(reference, argnums=(0, 1)))(params, x, labels)
    allowed = tolerance(jnp.float64, x.size)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, allowed, allowed), actual, expected)


@pytest.mark.parametrize(("network", "rate"), [(LEAKY, 0.1), (LOGISTIC, 1.0)])
def test_a_network_with_another_activation_fits_one_batch(network, rate):
    (params, _), (x, labels) = network.init(jax.random.key(0)), draw_input(network, 10, jnp.float32)

    @jax.jit
    def step(params, _):
        loss, gradient = jax.value_and_grad(
            lambda params: softmax_cross_entropy(network.apply(params, {}, x)[0], labels)
        )(params)
        return jax.tree.map(lambda w, dw: w - rate * dw, params, gradient), loss

    params, losses = jax.lax.scan(step, params, length=100)
    assert losses[-1] < 0.05 * losses[0]
    np.testing.assert_array_equal(network.apply(params, {}, x)[0].argmax(1), labels)


def test_parameters_are_named_by_layer_kind_and_number():
    params, state = MNIST.init(jax.random.key(0))
    assert state == {}
    shapes = {name: {key: a.shape for key, a in layer.items()} for name, layer in params.items()}
    assert shapes == {
        "conv_1": {"w": (5, 5, 1, 16), "b": (16,)},
        "conv_4": {"w": (5, 5, 16, 16), "b": (16,)},
        "dense_7": {"w": (784, 10), "b": (10,)},
    }
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(
    ("name", "stddev"),
    [("conv_1", (75 / 2) ** -0.5), ("conv_4", (400 / 2) ** -0.5), ("dense_7", (784 / 2) ** -0.5)],
)
def test_initial_weights_have_the_expected_deviation_and_biases_are_zero(name, stddev):
    keys = jax.random.split(jax.random.key(2), 20)
    layer = jax.vmap(MNIST.init)(keys)[0][name]
    standard_error = 1 / np.sqrt(2 * layer["w"].size)
    assert abs(float(jnp.std(layer["w"])) / stddev - 1) < 5 * standard_error
    assert not layer["b"].any()


def test_init_scale_multiplies_the_initial_weights():
    unscaled, scaled = (
        Network((Dense(4),), (3, 2, 1)),
        Network((Dense(4, init_scale=0.1),), (3, 2, 1)),
    )
    key = jax.random.key(3)
    ratio = scaled.init(key)[0]["dense_1"]["w"] / unscaled.init(key)[0]["dense_1"]["w"]
    np.testing.assert_allclose(ratio, 0.1, rtol=tolerance(jnp.float32))


def test_one_draw_initialises_all_layers():
    traced = str(jax.make_jaxpr(MNIST.init)(jax.random.key(0)))
    assert traced.count("random_bits") == 1


def test_the_key_determines_the_initial_parameters():
    first, again, other = (MNIST.init(jax.random.key(seed))[0] for seed in (0, 0, 1))
    assert all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(again)))
    assert not np.array_equal(first["conv_4"]["w"], other["conv_4"]["w"])


def test_a_network_predicts_unless_it_is_said_to_train():
    network = Network((BatchNorm(), Dense(3)), (4, 4, 2))
    params, state = network.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (5, 4, 4, 2))
    logits, after = network.apply(params, state, x)
    jax.tree.map(np.testing.assert_array_equal, after, state)
    np.testing.assert_array_equal(logits, network.apply(params, state, x, training=False)[0])
    assert not np.array_equal(logits, network.apply(params, state, x, training=True)[0])
    *_, last = network.outputs(params, state, x).values()
    np.testing.assert_array_equal(last, logits)


def test_an_empty_batch_gives_no_logits():
    logits, _ = MNIST.apply(*MNIST.init(jax.random.key(0)), jnp.zeros((0, 28, 28, 1), jnp.float32))
    assert logits.shape == (0, 10)


def test_a_layer_that_does_not_fit_is_named():
    with pytest.raises(UserError, match=r"layer 2, MaxPool\(window=5\).*\(4, 4, 2\)"):
        Network((Conv(2, 3), MaxPool(5)), (4, 4, 1))


def test_images_of_another_size_are_rejected():
    with pytest.raises(ValueError, match="dense: x must be"):
        jax.eval_shape(MNIST.apply, *MNIST.shapes(), jnp.zeros((2, 24, 28, 1), jnp.float32))


def flops(function, *args):
    cost = jax.jit(function).lower(*args).compile().cost_analysis()
    assert cost is not None
    return cost["flops"]


@pytest.mark.cpu
def test_the_gradient_of_the_images_costs_nothing_unless_requested():
    (params, _), (x, labels) = MNIST.init(jax.random.key(0)), draw_input(MNIST, 4, jnp.float32)

    def loss(params, x):
        return softmax_cross_entropy(MNIST.apply(params, {}, x)[0], labels)

    summary = MNIST.summary()
    predicted = 4 * (summary.forward_flops + summary.backward_flops)
    measured = flops(jax.grad(loss), params, x)
    assert predicted < measured < 1.1 * predicted
    first_layer = 4 * summary.rows[1].forward_flops
    assert flops(jax.grad(loss, argnums=(0, 1)), params, x) - measured > 0.9 * first_layer


@dataclasses.dataclass(frozen=True)
class Square(Layer):
    """A custom layer without parameters."""

    title: ClassVar[str] = "Square"

    def __call__(self, params, x):
        return x * x


def test_a_custom_layer_is_applied_and_listed_in_the_summary():
    network = Network((Dense(4), Square(), Dense(3)), (2, 2, 1))
    params, _ = network.init(jax.random.key(0))
    x = jnp.linspace(-1, 1, 8).reshape(2, 2, 2, 1)
    hidden = DENSE.reference(x, params["dense_1"]["w"], params["dense_1"]["b"])
    expected = DENSE.reference(hidden * hidden, params["dense_3"]["w"], params["dense_3"]["b"])
    logits, _ = network.apply(params, {}, x)
    np.testing.assert_allclose(logits, expected, rtol=tolerance("float32", 4))
    assert network.summary().rows[2].title == "Square"


@dataclasses.dataclass(frozen=True)
class Shift(Layer):
    """A custom layer with a custom initialiser."""

    title: ClassVar[str] = "Shift"

    def params(self, shape):
        return {"by": Param(shape, jax.random.uniform)}

    def __call__(self, params, x):
        return x + params["by"][None]


def test_a_custom_layer_uses_its_own_initialiser_and_is_counted():
    network = Network((Shift(), Dense(4), Shift(), Dense(3)), (2, 2, 1))
    params, _ = network.init(jax.random.key(0))
    first, second = params["shift_1"]["by"], params["shift_3"]["by"]
    assert first.shape == (2, 2, 1)
    assert not set(first.ravel().tolist()) & set(second.tolist())
    assert 0 <= first.min() < first.max() <= 1
    without, _ = Network((Dense(4), Dense(3)), (2, 2, 1)).init(jax.random.key(0))
    np.testing.assert_array_equal(params["dense_2"]["w"], without["dense_1"]["w"])
    rows = network.summary().rows
    assert [row.parameters for row in rows[1:5]] == [4, 20, 4, 15]
    assert rows[1].cells()[6] == "4"


def test_a_subclass_of_a_package_layer_overrides_it():
    class Doubled(ReLU):
        def __call__(self, params, x):
            return 2 * x

    network = Network((Doubled(), Dense(3)), (2, 2, 1))
    (params, _), x = network.init(jax.random.key(0)), -jnp.ones((1, 2, 2, 1))
    expected = DENSE.reference(2 * x, params["dense_2"]["w"], params["dense_2"]["b"])
    logits, _ = network.apply(params, {}, x)
    np.testing.assert_allclose(logits, expected, rtol=tolerance("float32", 4))


@pytest.mark.parametrize(
    ("init", "error", "message"),
    [
        (
            lambda key, shape: jnp.arange(3),
            TypeError,
            "custom_1/w must return an array of floating",
        ),
        (lambda key, shape: 0.5, TypeError, "custom_1/w must return an array of floating"),
        (
            lambda key, shape: jnp.ones(4),
            ValueError,
            r"custom_1/w must be initialised with shape \(3,\)",
        ),
        (FromImages(jnp.sum), ValueError, "custom_1/w is computed from training"),
    ],
)
def test_an_invalid_initial_value_is_rejected(init, error, message):
    custom = type("Custom", (Shift,), {"params": lambda self, shape: {"w": Param((3,), init)}})
    network = Network((custom(), Dense(3)), (2, 2, 1))
    with pytest.raises(error, match=message):
        network.init(jax.random.key(0))


def test_a_layer_that_cannot_be_applied_is_named():
    network = Network((Layer(), Dense(3)), (2, 2, 1))
    with pytest.raises(TypeError, match=r"Layer\(\): a layer must define apply or __call__"):
        network.apply(*network.init(jax.random.key(0)), jnp.zeros((1, 2, 2, 1)))


@dataclasses.dataclass(frozen=True)
class OneArray(Layer):
    """A layer with one array."""

    param: Param

    def params(self, shape):
        return {"w": self.param}

    def __call__(self, params, x):
        return x


def initialise(param: Param, images=None):
    params, _ = Network((OneArray(param),), (4, 4, 2)).init(jax.random.key(0), images)
    return np.asarray(params["onearray_1"]["w"])


def test_a_normal_initialiser_has_its_mean_and_deviation():
    w = initialise(Param((100, 100), Normal(0.5, mean=3.0)))
    assert w.mean() == pytest.approx(3, abs=5 * 0.5 / 100)
    assert w.std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * w.size))


def test_a_constant_initialiser_gives_its_constant():
    np.testing.assert_array_equal(initialise(Param((2, 3), Constant(1.5))), np.full((2, 3), 1.5))


def test_a_dirac_kernel_copies_its_input_and_draws_the_other_outputs():
    w = initialise(Param((3, 3, 2, 5), Dirac(0.1)))
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype(np.float32)
    z = conv2d(jnp.asarray(x), jnp.asarray(w), jnp.zeros(5))
    np.testing.assert_array_equal(z[..., :2], x)
    assert np.std(w[..., 2:]) == pytest.approx(0.1, rel=0.5)
    np.testing.assert_array_equal(initialise(Param((3, 3, 5, 2), Dirac()))[1, 1], np.eye(5)[:, :2])


def test_from_images_receives_the_requested_number_of_images():
    images = jnp.arange(12.0).reshape(12, 1, 1, 1)
    param = Param((), FromImages(lambda images: images.sum(), images=4))
    assert initialise(param, images) == 0 + 1 + 2 + 3


def test_layers_outputs_and_parameters_share_names_and_order():
    """With more than nine layers, alphabetical order differs from layer order."""
    layers = (MaxPool(2), Conv(3, 5), ReLU(), Conv(2, 3), ReLU(), *[Dense(4)] * 5, Dense(10))
    network = Network(layers, (8, 8, 1))
    names: list[str] = []
    image = jnp.zeros((1, 8, 8, 1))
    jax.eval_shape(lambda *args: names.extend(network.outputs(*args)), *network.shapes(), image)
    assert network.layer_names == names
    assert [name for name in names if name in network.shapes()[0]] == list(network.param_specs)
    assert network.first(Conv) == "conv_2"
    assert network.first(Sigmoid) is None


def test_lists_are_taken_for_tuples():
    network = Network([Dense(3)], [4])  # type: ignore[arg-type]
    assert network == Network((Dense(3),), (4,))
    assert network.init(jax.random.key(0))[0]["dense_1"]["w"].shape == (4, 3)


@pytest.mark.parametrize(
    ("layers", "shape", "line"),
    [
        (Dense(3), (4,), "layers must be a tuple of layers, got Dense("),
        ((3,), (4,), "layers must be a tuple of layers, got (3,)"),
        ((Dense,), (4,), "layers must be a tuple of layers, got (<class"),
        (((Dense(3),),), (4,), "layers must be a tuple of layers, got ((Dense("),
        ((Dense(3),), 4, "input_shape must be a tuple of integers, got 4"),
        ((Dense(3),), (4.0,), "input_shape must be a tuple of integers, got (4.0,)"),
        ((Dense(3),), None, "input_shape must be a tuple of integers, got None"),
    ],
)
def test_anything_else_is_rejected_in_one_line(layers, shape, line):
    with pytest.raises(UserError) as error:
        Network(layers, shape)
    assert str(error.value).startswith(f"Network: {line}")
    assert "\n" not in str(error.value)
