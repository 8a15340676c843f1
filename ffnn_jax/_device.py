"""The device that jax computes on."""

from typing import Any

import jax
from jax.extend import backend

from ffnn_jax._errors import UserError


def device_in_use() -> Any:
    """The device on which jax puts arrays."""
    (device,) = jax.device_put(0).devices()
    return device


def require_platform() -> None:
    """Rejects a ``JAX_PLATFORMS`` that jax does not have here.

    Raises:
        UserError: jax finds no device; the message names the platforms that are available.
    """
    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:  # jax asserts that a known plugin is installed
        wanted: str | None = jax.config.jax_platforms  # type: ignore[attr-defined]
        reason = f" ({str(error).partition(' (set JAX_PLATFORMS')[0]})" if str(error) else ""
        raise UserError(
            f"JAX_PLATFORMS is {wanted!r}, available here: {_available(wanted)}{reason}"
        ) from None


def _available(wanted: str | None) -> str:
    jax.config.update("jax_platforms", "")
    try:
        return ", ".join(backend.backends())
    except RuntimeError:
        return "none, reinstall jax"
    finally:
        jax.config.update("jax_platforms", wanted)
        backend.clear_backends()
