"""Many small programs are compiled here, and each runs once."""

import pytest


@pytest.fixture(autouse=True)
def _compiled_quickly(quick_compilation: None) -> None:
    pass
