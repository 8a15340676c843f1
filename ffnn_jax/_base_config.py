"""Configurations as dataclasses: printed as Python, built from fields, and validated."""

import dataclasses
import math
from typing import Any

from ffnn_jax._errors import UserError, suggestion


@dataclasses.dataclass(frozen=True)
class BaseConfig:
    """A configuration that prints as the Python call that creates it."""

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
    """Builds a dataclass from its fields, with every key checked.

    Raises:
        UserError: a key is unknown or missing, or a value is rejected.
    """
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


def require_positive_integers(config: BaseConfig, *names: str) -> None:
    """Rejects a configuration in which one of these fields is not an integer of at least 1."""
    for name in names:
        value = getattr(config, name)
        require(config, name, is_integer(value) and value >= 1, "an integer of at least 1")


def require_number(config: BaseConfig, name: str, least: float, below: float) -> None:
    """Rejects a configuration in which this field is not a number in [least, below)."""
    value = getattr(config, name)
    limit = "a finite number" if below == math.inf else "a number"
    above = "" if below == math.inf else f" and below {below:g}"
    holds = is_number(value) and least <= value < below
    require(config, name, holds, f"{limit} of at least {least:g}{above}")


def require(config: BaseConfig, name: str, holds: bool, allowed: str) -> None:
    """Rejects a configuration unless ``holds``, stating what the field must be.

    Raises:
        UserError: ``holds`` is False.
    """
    if not holds:
        raise UserError(f"{config}: {name} must be {allowed}")


def _format(value: Any) -> str:
    if isinstance(value, tuple) and value and all(isinstance(item, BaseConfig) for item in value):
        return f"({', '.join(map(str, value))}{',' if len(value) == 1 else ''})"
    return repr(value)
