"""The presets match the report's networks and schedules, and airbench's."""

import math

import jax
import pytest

from ffnn_jax.catalogue import OP_SPECS
from ffnn_jax.config import PRESETS, AlternatingFlip, Crop, Cutout, Validation, preset
from ffnn_jax.network import Network, partition
from ffnn_jax.nn import (
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Layer,
    MaxPool,
    ReLU,
    Residual,
    shapes_through,
)
from ffnn_jax.runs._compute import _require_trained, optimizer_of

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


SHAPES = {"mnist_5k": (28, 28, 1), "mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
OPERATIONS = {BatchNorm: ("batch_norm", "batch_norm_inference"), Dropout: ("dropout",)}
"""The operations of layers that are more than one operation."""
CATALOGUE = {spec.name for spec in OP_SPECS}
LADDER = {"minute": 126_808, "coffee": 497_528, "93": 569_016, "94": 1_971_640}
"""Each network's numbers, without the factor of its fixed scaling."""


def operations(layer: Layer) -> set[str]:
    """The operations that a layer computes, and those of the layers inside it."""
    inside = [operations(each) for part in layer.parts().values() for each in part]
    usual = (getattr(layer, "operation", "") or str(layer),)
    return set().union(*inside, () if inside else OPERATIONS.get(type(layer), usual))


def network_of(name: str) -> Network:
    settings = preset(name)
    return Network(settings.layers, SHAPES[settings.dataset])


@pytest.mark.parametrize("name", PRESETS)
def test_every_layer_of_a_preset_is_an_operation_of_the_catalogue(name):
    missing = set().union(*map(operations, preset(name).layers)) - CATALOGUE
    assert not missing
    assert {"dense", "conv2d", "batch_norm", "gelu"} <= CATALOGUE


def test_a_layer_that_the_catalogue_does_not_know_is_noticed():
    class Other(Layer):
        """A layer of one's own."""

    inside = Residual((Dense(3), Dropout(0.5), Other()))
    assert operations(inside) - CATALOGUE == {str(Other())}
    assert operations(inside) & CATALOGUE == {"dense", "dropout"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_network_fits_its_data_and_its_settings_fit_the_network(name):
    settings, network = preset(name), network_of(name)
    assert network.output_shape == (10,)
    optimizer_of(settings, network)
    _require_trained(network, settings)
    for augmentation in settings.augmentations:
        augmentation.require_fits(SHAPES[settings.dataset])


def numbers_in(arrays) -> int:
    return sum(math.prod(array.shape) for array in jax.tree.leaves(arrays))


@pytest.mark.parametrize("name", LADDER)
def test_a_network_of_the_ladder_has_airbench_s_number_of_parameters(name):
    network = network_of(f"cifar10-{name}")
    params, _ = network.shapes()
    trained, fixed = partition(params, network.param_attribute("trained"))
    assert numbers_in(params) - 1 == LADDER[name]
    assert numbers_in(fixed) - 1 == 2 * 2 * 3 * 24
    assert numbers_in(trained) == LADDER[name] - 288
    assert [one.trained for one in network.all_params].count(False) == 2


def test_the_top_rung_has_airbench_96_s_layers():
    """37 epochs of three residual groups: 452 million multiplications an image, as published."""
    settings = preset("cifar10-96")
    assert network_of("cifar10-96").summary().forward_flops == pytest.approx(2 * 452e6, rel=1e-3)
    assert settings.augmentations == (AlternatingFlip(), Crop(4), Cutout(12))
    assert (settings.steps, settings.batch_size) == (37 * 48, 1024)
    assert settings.learning_rate / 1.5 == pytest.approx(9 / 11.5)  # of 11.5 for airbench94


def test_a_digit_is_never_mirrored():
    settings = preset("mnist-99")
    assert (settings.augmentations, settings.views) == ((Crop(2),), "one")
    assert settings.validation == Validation("none")


def test_a_ladder_s_recipe_is_airbench_94_muon():
    """The numbers of airbench94_muon.py: 8 epochs of 25 batches of 2,000."""
    settings = preset("cifar10-94")
    expected = {
        "steps": 200, "batch_size": 2000, "optimizer": "muon", "muon_rate": 0.24, "momentum": 0.85,
        "rate_points": ((0.0, 1.0), (1.0, 0.0)), "group_steps": (("whitening", 75),),
        "label_smoothing": 0.2, "lookahead": 0, "views": "six", "sampling": "epochs",
        "augmentations": (AlternatingFlip(), Crop(2)), "normalisation": "channel-mean-sd",
        "validation": Validation("none"), "train_images": None,
    }  # fmt: skip
    assert {name: getattr(settings, name) for name in expected} == expected
    rate = settings.learning_rate  # its losses are sums of 2,000, its head's scaling is 1 / 256
    assert dict(settings.group_rates) == {"norm": 64.0, "whitening": 64.0}
    assert 64 * rate == pytest.approx(0.053 * 2000, rel=0.01)
    assert rate / 9**2 == pytest.approx(0.67 * 2000 / 256**2, rel=0.01)
    assert rate * settings.weight_decay == pytest.approx(2e-6 * 2000, rel=0.01)


@pytest.mark.parametrize(("name", "steps", "batch"), [("minute", 634, 256), ("coffee", 776, 512)])
def test_the_first_rungs_have_muon_in_small_batches(name, steps, batch):
    """The record's rates per image, for 3.25 and 8 epochs."""
    settings, record = preset(f"cifar10-{name}"), preset("cifar10-94")
    assert (settings.optimizer, settings.muon_rate, settings.lookahead) == ("muon", 0.08, 0)
    assert (settings.steps, settings.batch_size) == (steps, batch)
    assert settings.learning_rate / batch == pytest.approx(record.learning_rate / 2000)
    for same in ("rate_points", "group_rates", "weight_decay", "label_smoothing", "views"):
        assert getattr(settings, same) == getattr(record, same)


def test_93_trains_for_eleven_epochs_with_lookahead():
    settings = preset("cifar10-93")
    assert (settings.optimizer, settings.lookahead, settings.views) == ("nesterov", 5, "six")
    assert (settings.steps, settings.batch_size) == (11 * 48, 1024)
    assert settings.group_steps == (("whitening", 3 * 48),)
    assert settings.learning_rate == 1.5
    assert settings.rate_points == ((0.0, 0.2), (0.23, 1.0), (1.0, 0.07))
