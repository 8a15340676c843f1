"""The memory of the machine, and of a container that has less; how often garbage is looked for."""

import subprocess
import sys
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


SPARED = """
import gc, sys
gc.freeze = lambda: print("frozen")
from ffnn_jax.__main__ import main
sys.argv = ["ffnn-jax", "--version"]
main()
print(gc.get_threshold()[0])
"""


def test_the_command_spares_what_it_has_imported_until_its_end():
    ran = subprocess.run([sys.executable, "-c", SPARED], capture_output=True, text=True)
    assert ran.stdout.splitlines()[1:] == [str(_memory._OBJECTS), "frozen"]
