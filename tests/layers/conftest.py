"""Every test of the mathematics runs with float64 enabled."""

import pytest


@pytest.fixture(autouse=True)
def _in_float64(x64: None, quick_compilation: None) -> None:
    pass
