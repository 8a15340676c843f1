"""What several rooms ask of plain values."""

import dataclasses
from typing import Annotated, Any

import pytest

from ffnn_jax._base_config import Above0, BaseConfig, Count, is_integer, require
from ffnn_jax._errors import UserError


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1])
def test_an_integer_has_64_bits(value: object):
    assert is_integer(value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, True, 1.0, "1"])
def test_others_are_no_integers(value: object):
    assert not is_integer(value)


@dataclasses.dataclass(frozen=True)
class Size(BaseConfig):
    count: Count
    level: Above0 = 1.0
    note: Annotated[str, "a note of another's"] = ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Size(0), "Size(count=0): count must be an integer of at least 1"),
        (lambda: Size(1, -1.0), "Size(count=1, level=-1.0): level must be a finite number"),
        (lambda: Size(1, 0.0), "Size(count=1, level=0.0): level must be above 0"),
    ],
)
def test_a_value_that_the_type_of_its_field_does_not_allow_is_rejected(make: Any, message: str):
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_a_custom_check_takes_the_place_of_the_types():
    class Own(Size):
        def __post_init__(self) -> None:
            require(self, "count", self.count < 5, "below 5")

    assert Own(-3).count == -3
    with pytest.raises(UserError, match="count must be below 5"):
        Own(5)
