"""These tests compile many small programs and run each only a few times."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly(quick_compilation_of_the_module: None) -> None:
    pass
