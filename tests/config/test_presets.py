"""The presets match the report's networks and schedules."""

import pytest

from ffnn_jax.config import PRESETS, Validation, preset
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU, shapes_through

ROWS = ("0", "1", "2", "3", "4", "5", "6a", "6b", "7")
STARTING_POINT = {
    "dataset": "cifar10", "pixel_scale": 1.0, "normalisation": "channel-mean",
    "train_images": 20_000, "validation": Validation("drawn", 2001), "steps": 5000,
    "batch_size": 16, "learning_rate": 1e-3, "momentum": 0.95, "weight_decay": 0.001,
    "augmentations": (),
}  # fmt: skip
CHANGES = {"6b": {"learning_rate": 5e-4, "steps": 10_000}, "7": {"batch_size": 32}}


@pytest.mark.parametrize("row", [*ROWS, "final"])
def test_a_model_has_the_starting_point_s_settings_except_for_its_row_s_changes(row):
    settings = preset(f"cifar10-{row}")
    expected = STARTING_POINT | CHANGES.get(row, {})
    assert {name: getattr(settings, name) for name in expected} == expected
    assert settings.preset == f"cifar10-{row}"


@pytest.mark.parametrize(
    ("name", "dataset", "batch_size"), [("mnist", "mnist", 16), ("quickstart", "mnist_5k", 32)]
)
def test_pixels_of_digits_are_shares_of_255(name, dataset, batch_size):
    settings = preset(name)
    assert (settings.dataset, settings.batch_size) == (dataset, batch_size)
    assert settings.pixel_scale == 1 / 255


@pytest.mark.parametrize(
    ("row", "layers"), list(zip(ROWS, (8, 7, 6, 11, 12, 13, 14, 8, 8), strict=True))
)
def test_a_model_has_the_number_of_layers_in_table_3(row, layers):
    """The report counts the input and the softmax loss as layers."""
    assert len(preset(f"cifar10-{row}").layers) + 2 == layers


@pytest.mark.parametrize(
    ("row", "kinds"),
    [("0", "C R P C R D"), ("1", "C P C R D"), ("2", "C P C D"), ("3", "C R P C R P C R D"),
     ("4", "C R P C R P C R D D"), ("5", "C R P C R P C R D R D"),
     ("6a", "C R P C R P C R P C R D")],
)  # fmt: skip
def test_a_model_has_the_layers_of_its_row_in_order(row, kinds):
    letters = {"Conv": "C", "ReLU": "R", "MaxPool": "P", "Dense": "D"}
    assert (
        " ".join(letters[type(layer).__name__] for layer in preset(f"cifar10-{row}").layers)
        == kinds
    )


@pytest.mark.parametrize(("row", "inputs"), [("0", 4096), ("3", 1024), ("6a", 256)])
def test_the_first_dense_layer_has_the_report_s_number_of_inputs(row, inputs):
    layers = preset(f"cifar10-{row}").layers
    features = shapes_through(layers[:-1], (32, 32, 3))[-1]
    assert features[0] * features[1] * features[2] == inputs


def test_convolutions_are_initialised_at_a_tenth_and_dense_layers_are_not():
    for row in ROWS:
        layers = preset(f"cifar10-{row}").layers
        assert {layer.init_scale for layer in layers if isinstance(layer, Conv)} == {0.1}
        assert {layer.init_scale for layer in layers if isinstance(layer, Dense)} == {1.0}


def test_layers_have_the_report_s_sizes():
    """16 filters of 5 by 5 and windows of 2 everywhere; 64 units and 10 classes."""
    same = MaxPool(2), ReLU(), Dense(64), Dense(10)
    first, *others = preset("mnist").layers
    assert first == Conv(16, 5, init_fan_in=75)
    assert others == [ReLU(), MaxPool(2), Conv(16, 5), ReLU(), MaxPool(2), Dense(10)]
    for row in ROWS:
        assert set(preset(f"cifar10-{row}").layers) <= {Conv(16, 5, init_scale=0.1), *same}


def test_the_final_model_has_the_layers_of_model_3_and_6b_and_7_those_of_model_0():
    assert preset("cifar10-final").layers == preset("cifar10-3").layers
    assert preset("cifar10-6b").layers == preset("cifar10-7").layers == preset("cifar10-0").layers


def test_a_preset_is_listed_under_its_own_name():
    assert all(settings.preset == name for name, settings in PRESETS.items())
    assert {type(layer) for layer in preset("mnist").layers} >= {ReLU, MaxPool}
