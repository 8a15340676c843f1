"""The device in use, and platforms that are not there."""

import os
import subprocess
import sys

import jax
import pytest

from ffnn_jax import _device
from ffnn_jax._device import device_in_use
from ffnn_jax.config import UserError

PROGRAM = """
from ffnn_jax._device import require_platform
from ffnn_jax.config import UserError
for _ in range(2):
    try:
        require_platform()
        print("found")
    except UserError as error:
        print(error)
"""


def outcomes(platforms: str) -> list[str]:
    """What a new process says, asked twice."""
    environment = os.environ | {"JAX_PLATFORMS": platforms, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return ran.stdout.splitlines()


@pytest.mark.parametrize("platforms", ["abacus", "cuda,abacus"])
def test_a_platform_that_is_not_there_is_one_line(platforms: str):
    first, second = outcomes(platforms)
    assert first == second
    assert first.startswith(f"JAX_PLATFORMS is {platforms!r}, available here: ")
    assert "cpu" in first.partition("available here: ")[2].partition(" (")[0]


def test_a_platform_that_is_there_is_accepted():
    assert outcomes("cpu") == ["found", "found"]


def test_the_device_in_use_is_the_default_device():
    assert device_in_use() == jax.devices()[0]
    last = jax.devices("cpu")[-1]
    with jax.default_device(last):
        assert device_in_use() == last


def test_jax_says_nothing_where_a_plugin_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise AssertionError

    monkeypatch.setattr(jax, "devices", fail)
    monkeypatch.setattr(_device, "_available", lambda: "cpu")
    with pytest.raises(UserError, match=r"^JAX_PLATFORMS is .*, available here: cpu$"):
        _device.require_platform()
