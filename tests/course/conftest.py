"""These tests compile many small programs and run each only a few times."""

import pytest


@pytest.fixture(autouse=True)
def _compile_quickly(quick_compilation: None) -> None:
    pass
