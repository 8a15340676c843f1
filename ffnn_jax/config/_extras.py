"""Packages that only some runs need."""

import importlib.util

from ffnn_jax._errors import UserError


def require_grain() -> None:
    """Rejects streaming if Grain is not installed.

    Raises:
        UserError: Grain is not installed.
    """
    if importlib.util.find_spec("grain") is None:
        raise UserError("streaming needs grain, which is not installed: pip install grain")
