"""The devices that jax computes on: one, unless more are asked for."""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import jax

from ffnn_jax._errors import UserError

_chosen: ContextVar[Sequence[Any]] = ContextVar("devices", default=())


def device_in_use() -> Any:
    """The device on which jax puts arrays."""
    (device,) = jax.device_put(0).devices()
    return device


def chosen_devices(wanted: int | str = 1) -> tuple[Any, ...]:
    """The first of jax's devices: so many, or "all"; of one, that on which jax puts arrays.

    A run of several processes has all devices of all of them.

    Raises:
        UserError: there are fewer, it is no number from 1 on, or there is no device at all.
    """
    require_platform()
    every, several = tuple(jax.devices()), jax.process_count() > 1
    if wanted == "all" or (several and wanted == 1):
        return every
    if several:
        raise UserError("devices: several processes use all of theirs; leave the option out")
    if not (isinstance(wanted, int) and 1 <= wanted <= len(every)):
        raise UserError(f"devices must be all, or from 1 to the {len(every)} here, got {wanted}")
    return every[:wanted] if wanted > 1 else (device_in_use(),)


@contextlib.contextmanager
def on_devices(devices: Sequence[Any]) -> Iterator[None]:
    """Within this context models predict on these devices, of which one process has its own."""
    own = [device for device in devices if device.process_index == jax.process_index()]
    token = _chosen.set(own)
    try:
        yield
    finally:
        _chosen.reset(token)


def devices_in_use() -> Sequence[Any]:
    """The devices that models predict on."""
    return _chosen.get() or (device_in_use(),)


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
