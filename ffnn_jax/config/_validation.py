"""The training images that are held out for validation."""

import dataclasses
from typing import Literal, get_args

from ffnn_jax._base_config import is_integer
from ffnn_jax._errors import UserError, suggestion

Chosen = Literal["drawn", "last", "none"]
CHOICES: tuple[Chosen, ...] = get_args(Chosen)
_LARGEST = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Validation:
    """Validation images taken from the training set, where the data set has no such split.

    Written "drawn:2001", "last:5000" or "none".

    Attributes:
        chosen: "drawn" by the seed, the "last" of the data set, or "none".
        images: number of images; 0 for "none".

    Raises:
        UserError: ``chosen`` is unknown, or ``images`` does not match it.
    """

    chosen: Chosen
    images: int = 0

    def __post_init__(self) -> None:
        """Rejects an unknown choice, and a number of images that does not match it."""
        if self.chosen not in CHOICES:
            known, near = ", ".join(CHOICES), suggestion(str(self.chosen), CHOICES)
            raise UserError(f"validation must be one of {known}, got {self.chosen!r}{near}")
        least, most = (0, 0) if self.chosen == "none" else (1, _LARGEST)
        if not is_integer(self.images) or not least <= self.images <= most:
            allowed = f"from {least} to {most}" if most else "0 for none"
            raise UserError(f"validation: images must be {allowed}, got {self.images!r}")

    @classmethod
    def parse(cls, text: str) -> "Validation":
        """Reads "drawn:2001", "last:5000" or "none".

        Raises:
            UserError: the text is none of these.
        """
        word, colon, number = str(text).partition(":")
        if bool(colon) != (word != "none") and word in CHOICES:
            forms = "drawn:N, last:N or none"
            raise UserError(f"validation must be {forms}, got {text!r}")
        try:
            images = int(number) if colon else 0
        except ValueError:
            raise UserError(f"validation takes an integer, got {text!r}") from None
        return cls(word, images)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """The form that ``parse`` reads."""
        return self.chosen if self.chosen == "none" else f"{self.chosen}:{self.images}"


DRAWN_2001 = Validation("drawn", 2001)
"""As in the report."""
