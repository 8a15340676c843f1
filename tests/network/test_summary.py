import dataclasses

import pytest
from rich.console import Console

from ffnn_jax.config import preset
from ffnn_jax.network import Network
from ffnn_jax.nn import BatchNorm, Conv, Dense, LeakyReLU, ReLU, Residual, Sequential, Sigmoid

SUMMARY = Network(preset("mnist").layers, (28, 28, 1)).summary()

# The report's Table 2, without counting input and loss as layers: layer, type, inputs, outputs,
# filter, bias, number of parameters.
TABLE_2 = [
    ("", "Input", "", "", "", "", "0"),
    ("1", "Convolutional", "1", "16", "[5×5×1]", "[16×1]", "(5×5×1+1)16 = 416"),
    ("2", "ReLU", "", "", "", "", "0"),
    ("3", "Maxpooling", "", "", "", "", "0"),
    ("4", "Convolutional", "16", "16", "[5×5×16]", "[16×1]", "(5×5×16+1)16 = 6,416"),
    ("5", "ReLU", "", "", "", "", "0"),
    ("6", "Maxpooling", "", "", "", "", "0"),
    ("7", "Fully connected", "784", "10", "", "[10×1]", "(784+1)10 = 7,850"),
    ("", "Softmaxloss", "", "", "", "", "0"),
]


def test_the_mnist_summary_is_the_report_s_table_2():
    assert [row.cells()[:7] for row in SUMMARY.rows] == TABLE_2
    assert SUMMARY.parameters == 14_682


def test_the_formula_equals_the_parameter_count():
    for row in SUMMARY.rows:
        if row.formula:
            assert eval(row.formula.replace("×", "*").replace(")", ")*")) == row.parameters


def test_output_shapes_follow_the_data():
    shapes = [row.output_shape for row in SUMMARY.rows[:-1]]
    assert shapes[0] == (28, 28, 1)
    assert shapes[3] == (14, 14, 16)
    assert shapes[6:] == [(7, 7, 16), (10,)]


def test_flops_of_a_step_equal_a_hand_count():
    forward = 2 * (28 * 28 * 16 * 25 + 14 * 14 * 16 * 400 + 784 * 10)
    first_layer = 2 * 28 * 28 * 16 * 25
    assert SUMMARY.forward_flops == forward
    assert SUMMARY.backward_flops == 2 * forward - first_layer


def test_the_first_layer_with_parameters_needs_no_gradient_of_its_input():
    rows = Network((ReLU(), Dense(3), Dense(2)), (2, 2, 1)).summary().rows
    assert [row.backward_flops for row in rows[2:4]] == [2 * 4 * 3, 2 * 2 * 3 * 2]


@pytest.mark.parametrize(
    ("layer", "title"), [(LeakyReLU(0.2), "Leaky ReLU"), (Sigmoid(), "Sigmoid")]
)
def test_an_activation_has_a_row_without_parameters(layer, title):
    row = Network((layer, Dense(3)), (2, 2, 1)).summary().rows[1]
    assert row.cells()[:8] == ("1", title, "", "", "", "", "0", "2×2×1")


def printed(width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(SUMMARY)
    return capture.get()


def test_wide_terminals_show_every_column_and_narrow_ones_every_number():
    for width in (78, 80, 120, 200):
        text = printed(width)
        assert max(map(len, text.splitlines())) <= width
        for number in ("(5×5×16+1)16 = 6,416", "14,682", "3,151,680", "5,676,160"):
            assert number in text
    assert "[5×5×16]" in printed(120)
    assert "[5×5×16]" not in printed(80)
    assert "Convolutional" in printed(80)
    assert "[5×5×16]" in str(SUMMARY)


def test_markdown_has_one_line_per_layer():
    lines = SUMMARY.to_markdown().splitlines()
    assert len(lines) == 2 + len(SUMMARY.rows)
    assert lines[3].startswith("| 1 | Convolutional | 1 | 16 | [5×5×1] |")


def test_nested_layers_have_rows_and_are_counted_once():
    inner = (Dense(6), BatchNorm(), ReLU())
    layers = (Dense(4), Residual((Dense(6), Sequential(inner)), (Dense(6, bias=False),)), Dense(3))
    summary = Network(layers, (2, 2, 1)).summary()
    assert [row.number for row in summary.rows] == [
        "", "1", "2", "2.1", "2.2", "2.2.1", "2.2.2", "2.2.3", "2.s1", "3", "",
    ]  # fmt: skip
    counts = [row.parameters for row in summary.rows]
    assert counts == [0, 20, 0, 30, 0, 42, 12, 0, 24, 21, 0]
    assert summary.parameters == sum(counts)
    products = 4 * 4 + 4 * 6 + 6 * 6 + 4 * 6 + 6 * 3
    assert summary.forward_flops == 2 * products
    assert summary.backward_flops == 2 * (2 * products - 4 * 4)


def test_the_formula_of_a_layer_without_bias_has_no_bias_term():
    row = Network((Conv(3, 2, bias=False), Dense(2)), (4, 4, 1)).summary().rows[1]
    assert row.cells()[2:7] == ("1", "3", "[2×2×1]", "", "(2×2×1)3 = 12")


@dataclasses.dataclass(frozen=True)
class Frozen(Dense):
    """A dense layer that is not trained."""

    def params(self, shape):
        params = super().params(shape)
        return {name: dataclasses.replace(param, trained=False) for name, param in params.items()}


def test_frozen_layers_have_no_flops_for_parameter_gradients():
    rows = Network((Frozen(3), Frozen(3), Dense(2), Frozen(4)), (5,)).summary().rows
    assert [row.backward_flops for row in rows[1:5]] == [0, 0, 2 * 3 * 2, 2 * 2 * 4]
