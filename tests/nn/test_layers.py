"""Layer configurations: shapes, parameters, initial weights, and rejected values."""

import math
from typing import Any

import pytest

from ffnn_jax.config import PRESETS, UserError, layers_from_json, layers_to_json
from ffnn_jax.nn import (
    LAYERS,
    AdaptiveAvgPool,
    AvgPool,
    Constant,
    Conv,
    Conv1D,
    ConvTranspose,
    Dense,
    Dirac,
    GlobalAvgPool,
    Layer,
    LeakyReLU,
    MaxPool,
    Normal,
    ReLU,
    Sigmoid,
    shapes_through,
)

MNIST = PRESETS["mnist"].layers
IMAGE = (28, 28, 1)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv(4, 5), (28, 27, 3), (28, 27, 4)),
        (Conv(4, 5, "SAME", 2), (28, 27, 3), (14, 14, 4)),
        (Conv(4, 5, "SAME", 3), (28, 27, 3), (10, 9, 4)),
        (Conv(4, 9), (2, 3, 1), (2, 3, 4)),
        (Conv(4, 5, "VALID"), (28, 27, 3), (24, 23, 4)),
        (Conv(4, 5, "VALID", 2), (28, 27, 3), (12, 12, 4)),
        (Conv(4, 5, "VALID"), (5, 5, 1), (1, 1, 4)),
        (Conv(4, 5, 0), (28, 27, 3), (24, 23, 4)),
        (Conv(4, 5, 2), (28, 27, 3), (28, 27, 4)),
        (Conv(4, 5, 1, 3), (28, 27, 3), (9, 9, 4)),
        (Conv(4, 5, 2), (1, 1, 1), (1, 1, 4)),
        (Conv(4, 3, "VALID", 1, 2), (28, 27, 3), (24, 23, 4)),
        (Conv(4, 3, 1, 2, 2, 2), (28, 27, 6), (13, 13, 4)),
        (Conv1D(4, 5, "VALID", 2), (27, 3), (12, 4)),
        (ConvTranspose(4, 4, 2), (7, 6, 3), (14, 12, 4)),
        (ConvTranspose(4, 2, 3, "VALID"), (7, 6, 3), (21, 18, 4)),
        (ConvTranspose(4, 4, 2, 1), (7, 6, 3), (14, 12, 4)),
        (MaxPool(), (28, 27, 3), (14, 13, 3)),
        (MaxPool(3), (3, 5, 2), (1, 1, 2)),
        (MaxPool(3, 2), (31, 8, 2), (15, 3, 2)),
        (MaxPool(3, 2, "SAME"), (31, 8, 2), (16, 4, 2)),
        (MaxPool(5, padding="SAME"), (3, 6, 2), (1, 2, 2)),
        (AvgPool(3, 2, 1, False), (31, 8, 2), (16, 4, 2)),
        (AvgPool(1, 3), (31, 8, 2), (11, 3, 2)),
        (GlobalAvgPool(), (31, 8, 2), (2,)),
        (AdaptiveAvgPool(7), (31, 8, 2), (7, 7, 2)),
        (AdaptiveAvgPool((3, 5)), (31, 8, 2), (3, 5, 2)),
        (ReLU(), (7, 6, 5), (7, 6, 5)),
        (ReLU(), (9,), (9,)),
        (LeakyReLU(), (7, 6, 5), (7, 6, 5)),
        (LeakyReLU(0.3), (9,), (9,)),
        (Sigmoid(), (7, 6, 5), (7, 6, 5)),
        (Sigmoid(), (9,), (9,)),
        (Dense(10), (7, 7, 16), (10,)),
        (Dense(10), (9,), (10,)),
        (Dense(10), (), (10,)),
        (Dense(10, flatten=False), (7, 9), (7, 10)),
    ],
)
def test_output_shapes_follow_the_formula(layer: Layer, shape: Any, expected: Any):
    assert layer.output_shape(shape) == expected


def test_shapes_through_the_report_s_network():
    shapes = shapes_through(MNIST, IMAGE)
    assert shapes == [
        IMAGE, (28, 28, 16), (28, 28, 16), (14, 14, 16), (14, 14, 16), (14, 14, 16), (7, 7, 16),
        (10,),
    ]  # fmt: skip


def test_the_report_s_mnist_network_has_14682_parameters():
    counts = [
        sum(math.prod(param.shape) for param in layer.params(shape).values())
        for layer, shape in zip(MNIST, shapes_through(MNIST, IMAGE), strict=False)
    ]
    assert counts == [416, 0, 0, 6416, 0, 0, 7850]
    assert sum(counts) == 14_682


def test_the_first_convolution_is_initialised_as_if_it_had_three_channels():
    first, second, last = (layer for layer in MNIST if isinstance(layer, Conv | Dense))
    assert first.params(IMAGE)["w"].init == Normal(1 / math.sqrt(75 / 2))
    assert second.params((14, 14, 16))["w"].init == Normal(1 / math.sqrt(25 * 16 / 2))
    assert last.params((7, 7, 16))["w"].init == Normal(1 / math.sqrt(784 / 2))


def test_biases_begin_at_zero():
    for layer in (Dense(3), Conv(3, 3)):
        assert layer.params((4, 4, 1))["b"].init == Constant(0.0)


def test_initial_values_are_compared_by_value():
    for one, same, other in (
        (Normal(0.5), Normal(0.5, 0.0), Normal(0.4)),
        (Constant(1.0), Constant(1.0), Constant()),
        (Dirac(0.5), Dirac(stddev=0.5), Dirac()),
    ):
        assert one == same != other
        assert hash(one) == hash(same)


def test_init_scale_multiplies_the_deviation():
    init = Dense(3, init_scale=0.1).params((8,))["w"].init
    assert isinstance(init, Normal)
    assert init.stddev == pytest.approx(0.05, rel=1e-15)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (ReLU(), Conv(4, 9, "VALID")),
            "layer 2, Conv(filters=4, size=9, padding='VALID'): the kernel is larger than the "
            "padded image (8 pixels), input shape (8, 6, 1)",
        ),
        (
            (Conv(4, 9, 1),),
            "layer 1, Conv(filters=4, size=9, padding=1): the kernel is larger than the padded "
            "image (8 pixels), input shape (8, 6, 1)",
        ),
        (
            (MaxPool(), MaxPool(), MaxPool()),
            "layer 3, MaxPool(): the window is larger than the 2 x 1 image, input shape (2, 1, 1)",
        ),
        (
            (Dense(5), ReLU(), Conv(4, 3)),
            "layer 3, Conv(filters=4, size=3): needs an image (height, width, channels), input "
            "shape (5,)",
        ),
        (
            (Dense(5), MaxPool(3)),
            "layer 2, MaxPool(window=3): needs an image (height, width, channels), input shape "
            "(5,)",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_named_by_number_and_input_shape(layers: Any, message: str):
    with pytest.raises(UserError) as caught:
        shapes_through(layers, (8, 6, 1))
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "2", None, math.nan])
@pytest.mark.parametrize(
    ("kind", "field", "rest"),
    [
        (Conv, "filters", {"size": 5}),
        (Conv, "size", {"filters": 4}),
        (Conv, "stride", {"filters": 4, "size": 5}),
        (MaxPool, "window", {}),
        (Dense, "units", {}),
    ],
)
def test_invalid_sizes_are_rejected(kind: Any, field: str, rest: Any, bad: Any):
    with pytest.raises(UserError) as caught:
        kind(**{field: bad}, **rest)
    assert str(caught.value).endswith(f"{field} must be an integer of at least 1")
    assert f"{field}={bad!r}" in str(caught.value)


@pytest.mark.parametrize("bad", [-1, 1.5, True, "same", [2], None])
def test_invalid_paddings_are_rejected(bad: Any):
    with pytest.raises(UserError, match='padding must be "SAME", "VALID" or at least 0'):
        Conv(4, 5, bad)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        *(("init_scale", bad) for bad in (-1.0, math.nan, math.inf, True, "1")),
        *(("init_fan_in", bad) for bad in (-1, 0, 2.5, True, "1")),
    ],
)
def test_invalid_initialisation_settings_are_rejected(field: str, bad: Any):
    fields: dict[str, Any] = {field: bad}
    with pytest.raises(UserError, match=f"{field} must be"):
        Dense(3, **fields)


@pytest.mark.parametrize("bad", [-0.01, 1, 1.0, math.nan, math.inf, True, False, "0.1", None])
def test_invalid_slopes_are_rejected(bad: Any):
    with pytest.raises(UserError) as caught:
        LeakyReLU(bad)
    expected = f"LeakyReLU(slope={bad!r}): slope must be a number of at least 0 and below 1"
    assert str(caught.value) == expected


@pytest.mark.parametrize("name", ["RELU", *map(str.lower, LAYERS)])
def test_a_layer_type_in_the_wrong_case_gets_a_suggestion(name: str):
    with pytest.raises(UserError) as caught:
        layers_from_json([{"type": name}])
    names = {name.lower(): name for name in LAYERS}
    assert str(caught.value).endswith(f"did you mean {names[name.lower()]}?")


def test_a_layer_without_a_type_is_rejected():
    with pytest.raises(UserError) as caught:
        layers_from_json([{"units": 3}])
    assert "type" in str(caught.value)
    assert "did you mean" not in str(caught.value)


def test_layers_survive_a_json_round_trip():
    layers = (
        Conv(3, 5, 2, 4), Conv(3, 5, "VALID", init_scale=0.1), ReLU(), MaxPool(3),
        Dense(9, init_fan_in=4), LeakyReLU(), LeakyReLU(0), LeakyReLU(0.3), Sigmoid(),
    )  # fmt: skip
    assert layers_from_json(layers_to_json(layers)) == layers


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"type": "Maxpooling"},
            "unknown layer type 'Maxpooling' (your own by --layers-from MODULE, in Python by lay",
        ),
        ({"type": "MaxPool", "windw": 2}, "MaxPool: unknown key 'windw'; did you mean window?"),
        (
            {"type": "LeakyReLU", "slope": 1},
            "LeakyReLU(slope=1): slope must be a number of at least 0 and below 1",
        ),
        ({"type": "Dense", "units": 0}, "Dense(units=0): units must be an integer of"),
    ],
)
def test_json_of_an_invalid_layer_is_rejected(config: Any, message: str):
    with pytest.raises(UserError) as caught:
        layers_from_json([config])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("config", [5, None, "Dense", ["Dense"], [5]])
def test_json_that_is_not_a_list_of_layers_is_rejected(config: Any):
    with pytest.raises(UserError):
        layers_from_json(config)
