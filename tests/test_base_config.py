"""What several rooms ask of plain values."""

import pytest

from ffnn_jax._base_config import is_integer


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1])
def test_an_integer_has_64_bits(value: object):
    assert is_integer(value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, True, 1.0, "1"])
def test_others_are_no_integers(value: object):
    assert not is_integer(value)
