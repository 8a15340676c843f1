"""What every description can do: be written as it was made, and refuse sizes that are none."""

import dataclasses

from ffnn_jax.config._refusal import Refusal


@dataclasses.dataclass(frozen=True)
class Described:
    """Something described by its type and a few fields."""

    def __str__(self) -> str:
        """The description as it is written, defaults left out."""
        told = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if repr(getattr(self, field.name)) != repr(field.default)
        ]
        return f"{type(self).__name__}({', '.join(told)})"


def require_whole(described: Described, *names: str) -> None:
    """Refuses a description in which one of these fields is no whole number of at least 1."""
    for name in names:
        value = getattr(described, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Refusal(f"{described}: {name} must be a whole number of at least 1")
