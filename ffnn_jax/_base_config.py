"""Configurations as dataclasses: printed as Python, built from fields, and validated."""

import dataclasses
import math
from collections.abc import Callable
from typing import Annotated, Any

from ffnn_jax._errors import UserError, suggestion


@dataclasses.dataclass(frozen=True)
class Allowed:
    """The values that a field may have: in words that follow "must be", and as a predicate."""

    words: str
    holds: Callable[[Any], bool] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class BaseConfig:
    """A configuration that prints as the Python call that creates it."""

    def __post_init__(self) -> None:
        """Rejects a value that its field does not allow: types are ``Annotated`` with ``Allowed``.

        A custom configuration may define another check in its place.
        """
        for field in dataclasses.fields(self):
            for note in getattr(field.type, "__metadata__", ()):
                if isinstance(note, Allowed):
                    require(self, field.name, note.holds(getattr(self, field.name)), note.words)

    def __str__(self) -> str:
        """The configuration as Python, without defaults."""
        fields = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        arguments = [
            f"{field.name}={_format(value)}"
            for field, value in fields
            if repr(value) != repr(field.default)
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"


def from_fields(kind: Any, name: str, fields: dict[str, Any]) -> Any:
    """Builds a dataclass from its fields; a key that is unknown or missing is a UserError."""
    expected = dataclasses.fields(kind)
    known = [field.name for field in expected]
    for field in expected:
        if field.default is dataclasses.MISSING and field.name not in fields:
            raise UserError(f"{name}: the key {field.name!r} is missing")
    for key in fields:
        if key not in known:
            raise UserError(f"{name}: unknown key {key!r}{suggestion(key, known)}")
    return kind(**fields)


def is_integer(value: object) -> bool:
    """Whether value is an integer of 64 bits; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: object) -> bool:
    """Whether value is a float or an integer of 64 bits; True and False are neither."""
    return isinstance(value, float) or is_integer(value)


def is_count(value: Any, least: int = 1) -> bool:
    """Whether value is an integer of at least ``least``."""
    return is_integer(value) and value >= least


def number(words: str, holds: Callable[[float], bool]) -> Allowed:
    """Allows the numbers for which ``holds``."""
    return Allowed(words, lambda value: is_number(value) and holds(value))


Flag = Annotated[bool, Allowed("True or False", lambda value: isinstance(value, bool))]
Count = Annotated[int, Allowed("an integer of at least 1", is_count)]
CountOrNone = Annotated[
    int | None, Allowed("an integer of at least 1", lambda value: value is None or is_count(value))
]
Finite = Annotated[float, number("a finite number", math.isfinite)]
AtLeast0 = Annotated[float, number("a finite number of at least 0", lambda x: 0 <= x < math.inf)]
Above0 = Annotated[AtLeast0, Allowed("above 0", lambda x: x > 0)]
Below1 = Annotated[float, number("a number of at least 0 and below 1", lambda x: 0 <= x < 1)]


def require(config: BaseConfig, name: str, holds: bool, allowed: str) -> None:
    """Raises a UserError that states what the field must be, unless ``holds``."""
    if not holds:
        raise UserError(f"{config}: {name} must be {allowed}")


def _format(value: Any) -> str:
    if isinstance(value, tuple) and value and all(isinstance(item, BaseConfig) for item in value):
        return f"({', '.join(map(str, value))}{',' if len(value) == 1 else ''})"
    return repr(value)
