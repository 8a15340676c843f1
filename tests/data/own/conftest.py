"""A cache folder of the test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder during the test."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("ffnn_jax.data.own._read.user_cache_path", lambda name: folder / name)
    return folder / "ffnn_jax" / "own"
