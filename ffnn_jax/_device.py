"""The device that jax computes on."""

from typing import Any

import jax

from ffnn_jax._errors import UserError


def device_in_use() -> Any:
    """The device on which jax puts arrays."""
    (device,) = jax.device_put(0).devices()
    return device


def require_platform() -> None:
    """Raises a UserError with the platforms that are there if ``JAX_PLATFORMS`` names another."""
    wanted: str | None = jax.config.jax_platforms  # type: ignore[attr-defined]
    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:  # jax asserts that a known plugin is installed
        reason = f" ({str(error).partition(' (set JAX_PLATFORMS')[0]})" if str(error) else ""
        problem = f"JAX_PLATFORMS is {wanted!r}, available here: {_available()}{reason}"
        raise UserError(problem) from None
    finally:
        jax.config.update("jax_platforms", wanted)


def _available() -> str:
    from jax.extend import backend

    jax.config.update("jax_platforms", "")
    try:
        return ", ".join(backend.backends())
    except RuntimeError:
        return "none, reinstall jax"
    finally:
        backend.clear_backends()
