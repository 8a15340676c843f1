"""What the report says of each array that differs: got, expected, ratio and a pattern."""

import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import check_vjp
from ffnn_jax.verify._explain import explain, patterns
from ffnn_jax.verify._result import Check, Part
from tests.verify import toys
from tests.verify.running import check_product

PATTERNS = {
    "zero everywhere": lambda dw: 0 * dw,
    "the sign is reversed": lambda dw: -dw,
    "the ratio is 4 everywhere, the size of axis 0": lambda dw: 4 * dw,
    "the ratio is 0.25 everywhere, 1 over the size of axis 0": lambda dw: dw / 4,
    "the ratio is 1.5 everywhere": lambda dw: 1.5 * dw,
    "the ratio is 2 everywhere": lambda dw: 2 * dw,
    "only index 2 of axis 0 differs": lambda dw: dw.at[2].multiply(-3),
    "only index 1 of axis 1 differs": lambda dw: dw.at[:, 1].multiply(-3),
    "a constant 0.5 is added everywhere": lambda dw: dw + 0.5,
    "NaN everywhere": lambda dw: dw * jnp.nan,
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_recognised(pattern):
    def backward(residuals, dz):
        dx, dw = toys.correct_backward(residuals, dz)
        return dx, PATTERNS[pattern](dw)

    (line,) = check_product(toys.custom_vjp_of(backward), only=["cotangents"]).details
    assert line.startswith("cotangents: dw[")
    assert line.endswith(f"; {pattern}")


def test_a_transposed_matrix_is_recognised():
    def backward(residuals, dz):
        dx, dw = toys.correct_backward(residuals, dz)
        return dx, dw.T

    sizes = [{"N": 3, "D": 4, "K": 4}]
    result = check_product(toys.custom_vjp_of(backward), sizes=sizes, only=["cotangents"])
    assert result.details[0].endswith("; the matrix is transposed")


def test_every_part_that_differs_is_listed_with_got_expected_and_ratio():
    def backward(residuals, dz):
        return tuple(2 * d for d in toys.correct_backward(residuals, dz))

    details = check_product(toys.custom_vjp_of(backward), only=["cotangents"]).details
    assert [line.partition("[")[0] for line in details] == ["cotangents: dx", "cotangents: dw"]
    for line, size in zip(details, (12, 20), strict=True):
        _, _, rest = line.partition(" is ")
        got, expected = rest.split(", ")[:2]
        assert float(got) == pytest.approx(2 * float(expected.removeprefix("expected ")), rel=1e-5)
        assert f", ratio 2 ({size} of {size} entries differ)" in rest


def test_of_arrays_with_infinite_entries_only_places_are_said():
    got, expected = np.array([[np.inf, 1.0], [2.0, 3.0]]), np.array([[5.0, 1.0], [2.0, 3.0]])
    found = list(patterns(Part("dw", got, expected, got != expected)))
    assert found == ["only index 0 of axis 0 differs"]
    infinite = np.full(2, np.inf)
    assert list(patterns(Part("dw", infinite, np.ones(2), np.ones(2, bool)))) == []


def test_a_ratio_to_nothing_is_not_given():
    op = toys.unary(lambda x: 0 * x, jnp.ones_like)
    (line,) = check_vjp(op, lambda x: 0 * x, "", only=["cotangents"]).details
    assert line.endswith(", expected 0")


def test_several_outputs_are_named_by_place():
    def forward(x, w):
        (z, squares), residuals = toys.weighted_forward(x, w)
        return (z, squares.at[2].multiply(1.01)), residuals

    wrong = toys.custom_vjp_of(toys.weighted_backward, forward)
    sizes = [{"N": 3, "D": 4}]
    result = check_vjp(wrong, toys.reference_weighted, "NxD", "D", only=["value"], sizes=sizes)
    assert result["value"].where == "z[1][2] at N=3 D=4"
    assert result.details[0].startswith("value: z[1][2] is ")


def part(got, expected) -> Part:
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    return Part("dw", got, expected, got != expected)


ARRAY = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 0.0]])
NOISE = 1 + 1e-4 * np.array([[1, -1, 2], [0, 1, 0]])


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (6.003 * ARRAY, ARRAY, ["the ratio is 6.003 everywhere, the number of entries"]),
        (2.5 * ARRAY * NOISE, ARRAY, ["the ratio is 2.50025 everywhere"]),
        (2 * ARRAY + 9 * (ARRAY == 0), ARRAY, []),
        (2 * ARRAY, np.where(ARRAY == 5, 5, 0), []),
        (5.0, 2.0, []),
    ],
    ids=["count", "with noise", "another where 0 is expected", "one entry", "no axis"],
)
def test_a_pattern_is_of_all_entries(got, expected, said):
    assert list(patterns(part(got, expected))) == said


@pytest.mark.parametrize(
    ("got", "expected", "line"),
    [
        (5.0, 2.0, "dw is 5, expected 2, ratio 2.5"),
        (0.0, 2.0, "dw is 0, expected 2"),
        ([2.0, 9.0], [2.0, 3.0], "dw[1] is 9, expected 3, ratio 3 (1 of 2 entries differ); "
         "only index 1 of axis 0 differs"),
    ],
)  # fmt: skip
def test_a_line_counts_the_entries_of_an_array_and_gives_the_ratio_of_numbers(got, expected, line):
    check = Check("value", False, parts=(part(got, expected),))
    assert explain([check]) == [f"value: {line}"]


def test_at_most_six_arrays_are_shown():
    parts = [Part(f"d{i}", *[np.ones(2)] * 3) for i in range(8)]
    *shown, last = explain([Check("value", False, parts=tuple(parts))])
    assert (len(shown), last) == (6, "and 2 more arrays")
