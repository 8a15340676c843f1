"""The memory of the machine, and of a container that has less."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ffnn_jax import _memory


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, 800), ("max\n", 800), ("300\n", 300), ("9223372036854771712\n", 800)],
)
def test_memory_is_the_machines_or_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None, expected: int
):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=800))
    monkeypatch.setattr(_memory, "_LIMITS", (str(tmp_path / "none"), str(tmp_path / "limit")))
    if limit is not None:
        (tmp_path / "limit").write_text(limit)
    assert _memory.usable_memory() == expected
