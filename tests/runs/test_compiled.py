"""Compiled programs are kept in the user's cache folder, and reused by the next process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffnn_jax._processor import Processor
from ffnn_jax.cli import _train_run, main
from ffnn_jax.runs import _compiled, enable_compilation_cache

COMPILE = """
import jax
from ffnn_jax.runs import enable_compilation_cache
print(enable_compilation_cache())
print(float(jax.jit(lambda x: 2 * x + 1)(20.5)))
"""


def compile_in_new_process(cache_home: Path) -> tuple[Path, set[str]]:
    """Returns the folder and its files; standard error must stay empty."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment["XDG_CACHE_HOME"] = str(cache_home)
    command = [sys.executable, "-c", COMPILE]
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    folder, result = ran.stdout.splitlines()
    assert (result, ran.stderr) == ("42.0", "")
    return Path(folder), {path.name for path in Path(folder).glob("*-cache")}


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is only used on Linux")
def test_the_next_process_reuses_compiled_programs(tmp_path: Path):
    folder, first = compile_in_new_process(tmp_path)
    assert folder.is_relative_to(tmp_path / "ffnn_jax" / "compiled")
    assert folder.stat().st_mode & 0o077 == 0  # Windows protects the user's own folders itself
    assert first
    modified = {path.name: path.stat().st_mtime_ns for path in folder.glob("*-cache")}
    assert compile_in_new_process(tmp_path) == (folder, first)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*-cache")} == modified


def test_a_folder_already_configured_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_compiled, "user_cache_path", None)
    assert str(enable_compilation_cache()) == os.environ["JAX_COMPILATION_CACHE_DIR"]


def test_there_is_no_cache_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        _compiled.jax, "config", type("Config", (), {"jax_compilation_cache_dir": None})
    )
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(_compiled, "user_cache_path", lambda name: tmp_path / "file" / name)
    assert enable_compilation_cache() is None


def test_each_kind_of_processor_has_its_own_folder(monkeypatch: pytest.MonkeyPatch):
    ours = _compiled._folder_name()
    monkeypatch.setattr(_compiled, "processor", lambda: Processor("another", ()))
    assert _compiled._folder_name() != ours


FULL = """
import os, warnings
from ffnn_jax.runs import enable_compilation_cache
enable_compilation_cache()
for name in ("jit_one", "jit_two"):
    warnings.warn(f"Error writing persistent compilation cache entry for '{name}': OSError: full")
warnings.warn("another warning")
"""


def test_a_full_cache_is_one_line():
    ran = subprocess.run([sys.executable, "-c", FULL], check=True, capture_output=True, text=True)
    first, second, *rest = ran.stderr.splitlines()
    assert first == "the cache of compiled programs failed: OSError: full"
    assert second.endswith("UserWarning: another warning")
    assert len(rest) <= 1  # the line of code


@pytest.mark.parametrize(("options", "count"), [([], 1), (["--no-cache"], 0)])
def test_a_run_caches_its_programs_unless_disabled(
    options: list[str], count: int, monkeypatch: pytest.MonkeyPatch
):
    calls = []
    monkeypatch.setattr("ffnn_jax.runs.enable_compilation_cache", lambda: calls.append("cache"))
    monkeypatch.setattr(_train_run, "run_and_print", lambda *run: calls.append("run"))
    main(["train", *options])
    assert calls == ["cache"] * count + ["run"]
