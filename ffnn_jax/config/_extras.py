"""Packages that only some runs need."""

import importlib.util

from ffnn_jax._errors import Refusal


def require_grain() -> None:
    """Refuses to stream images where Grain is not installed.

    Raises:
        Refusal: it is not.
    """
    if importlib.util.find_spec("grain") is None:
        raise Refusal("streaming needs grain, which is not installed: pip install grain")
