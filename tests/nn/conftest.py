"""These tests compile many small programs, each of which runs only once."""

import pytest


@pytest.fixture(autouse=True)
def _compiled_quickly(quick_compilation: None) -> None:
    pass
