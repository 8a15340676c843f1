"""Whole runs of a few steps: compiling them takes longer than making them."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _compiled_quickly(quick_compilation_of_the_module: None) -> None:
    pass
