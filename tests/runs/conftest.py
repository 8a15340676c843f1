"""Whole runs of a few steps, which take longer to compile than to execute."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _compiled_quickly(quick_compilation_of_the_module: None) -> None:
    pass
