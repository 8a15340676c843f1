"""A pytest plugin: coverage, which started with the process, notes lines under the test's name."""

# pyright: reportMissingImports=false

import coverage
import pytest


def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Called by pytest before each test."""
    measurement = coverage.Coverage.current()
    assert measurement is not None
    measurement.switch_context(item.nodeid)
