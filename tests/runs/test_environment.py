"""What a run needs of jax, what may change its bits, and what is kept or timed on its machine."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ffnn_jax._processor import Processor, processor, usable_cores
from ffnn_jax.cli import _train_run, main
from ffnn_jax.config import UserError, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.layers.fast import TABLES, kind_of
from ffnn_jax.nn import Conv, Dense
from ffnn_jax.runs import (
    CheckpointManager,
    _environment,
    compute,
    enable_compilation_cache,
    forms_here,
    last_checkpoint,
    plan,
    require_ready,
    resumed_settings,
    write_config,
)
from ffnn_jax.runs._environment import arithmetic, device


def test_a_run_without_compilation_is_rejected_before_its_data_is_loaded(monkeypatch):
    monkeypatch.setattr("ffnn_jax.runs._compute.load_splits", None)
    with jax.disable_jit(), pytest.raises(UserError, match=r"^JAX_DISABLE_JIT is set") as rejected:
        compute(preset("quickstart"))
    assert "\n" not in str(rejected.value)
    require_ready()


def test_the_device_is_the_one_in_use():
    described = device()
    assert described["count"] == jax.device_count()
    assert described["cpu_cores"] == usable_cores()
    assert described["processor"] == processor().name


def test_devices_and_processors_are_part_of_the_arithmetic():
    described = arithmetic()
    assert (described["devices"], arithmetic(4)["devices"]) == (1, 4)
    assert described["device"] == jax.devices()[0].device_kind
    assert described["processor features"] == processor().digest
    assert {"jaxlib", "platform", "processor", "cores", "XLA_FLAGS"} <= set(described)
    assert "jax_default_matmul_precision" in described


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
    monkeypatch.setattr(_environment, "user_cache_path", None)
    assert str(enable_compilation_cache()) == os.environ["JAX_COMPILATION_CACHE_DIR"]


def test_there_is_no_cache_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        _environment.jax, "config", type("Config", (), {"jax_compilation_cache_dir": None})
    )
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(_environment, "user_cache_path", lambda name: tmp_path / "file" / name)
    assert enable_compilation_cache() is None


def test_each_kind_of_processor_has_its_own_folder(monkeypatch: pytest.MonkeyPatch):
    ours = _environment._folder_name()
    monkeypatch.setattr(_environment, "processor", lambda: Processor("another", ()))
    assert _environment._folder_name() != ours


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


NATIVE = tuple((f"{part} 9 1-4", "native") for part in ("forward", "images", "kernels"))
LAYERS = (Conv(3, 3), Dense(2))


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """The file of a table timed on this processor, not there yet."""
    path = tmp_path / "forms.json"
    monkeypatch.setattr(_environment, "timed_forms_path", lambda: path)
    return path


@pytest.fixture
def on_cpu(monkeypatch):
    """Forms are chosen as on a CPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")


def splits() -> Splits:
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8)
    labels = np.arange(40, dtype=np.int32) % 2
    return Splits(*(Dataset(name, images, labels, ("a", "b")) for name in "abc"))


def settings(**changes):
    base = preset("quickstart")
    given = {"layers": LAYERS, "train_images": None, "batch_size": 8, "steps": 3, "seeds": 1}
    return dataclasses.replace(base, **{**given, **changes})


@pytest.mark.parametrize(
    ("name", "features", "kind"),
    [("AMD EPYC 9R14", (), "amd-epyc"), ("Intel(R) Xeon(R)", ("amx_tile",), "intel-xeon-amx"),
     ("Intel(R) Xeon(R)", ("avx2",), ""), ("Apple M3", (), "")],
)  # fmt: skip
def test_the_kind_of_a_processor_selects_its_shipped_table(
    name, features, kind, timed, on_cpu, monkeypatch
):
    chip = Processor(name, features)
    assert kind_of(chip) == kind
    monkeypatch.setattr(_environment, "processor", lambda: chip)
    assert forms_here() == TABLES.get(kind, ())


def test_a_table_timed_here_precedes_the_shipped_one(timed, on_cpu):
    timed.write_text(json.dumps(dict(NATIVE)))
    assert forms_here() == NATIVE


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '{"forward 9 1-4": "fastest"}', '{"nonsense": "rows"}', '{"micro-batch": 8}'],
)
def test_a_damaged_table_is_named_with_a_remedy(text, timed, on_cpu):
    timed.write_text(text)
    with pytest.raises(UserError, match=f"^{re.escape(str(timed))}: .*; remove it, or time"):
        forms_here()


@pytest.mark.parametrize(
    "pair",
    [("forward 9 1-4", "fastest"), ("forward 9 1-5", "rows"), ("accelerator", "rows"),
     ("micro-batch", "0"), ("micro-batch", "9" * 5000), ("micro-batch", 32), ("", "rows")],
)  # fmt: skip
def test_settings_reject_an_unknown_class_or_form(pair):
    with pytest.raises(UserError, match=r'^forms must be .*; classes such as "forward 9 4-16", or'):
        settings(forms=(pair,))


def test_another_device_than_a_cpu_needs_no_table(timed, monkeypatch):
    timed.write_text(json.dumps(dict(NATIVE)))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert forms_here() == forms_here(one_program=False) == ()


def test_one_program_for_many_seeds_takes_matrix_products_on_another_device(timed, monkeypatch):
    table = (("accelerator", "im2col"),)
    assert forms_here(one_program=True) == forms_here() != table
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert forms_here(one_program=True) == table
    for seeds, chosen in ((1, ()), (3, table)):
        assert plan(settings(seeds=seeds), splits()).settings.forms == chosen
    assert plan(settings(seeds=3, forms=()), splits()).settings.forms == ()


def test_a_plan_records_the_forms_it_chose_and_keeps_those_that_were_named(timed, on_cpu):
    timed.write_text(json.dumps(dict(NATIVE)))
    assert plan(settings(), splits()).settings.forms == NATIVE
    assert plan(settings(forms=()), splits()).settings.forms == ()


@pytest.mark.cpu
def test_a_run_computes_with_the_forms_that_its_settings_name(timed):
    """Rounding tells which: XLA's own convolution sums in another order."""
    results = {}
    for forms in ((), NATIVE):
        result = compute(settings(forms=forms), splits())
        assert result.settings.forms == forms
        results[forms] = result.models[0]
    first, second = results.values()
    assert first.parameters_sha256 != second.parameters_sha256
    leaves = zip(*(jax.tree.leaves(model.params) for model in results.values()), strict=True)
    for one, other in leaves:
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_resumed_run_takes_the_recorded_forms_whatever_this_machine_would_choose_now(
    timed, tmp_path
):
    short = settings(forms=NATIVE)
    write_config(tmp_path / "run", short)
    compute(short, splits(), CheckpointManager(tmp_path / "run"))
    timed.write_text(json.dumps({NATIVE[0][0]: "im2col"}))
    start = last_checkpoint(tmp_path / "run")
    longer = resumed_settings(tmp_path / "run", start, 6)
    assert longer.forms == NATIVE
    resumed = compute(longer, splits(), CheckpointManager(tmp_path / "run", start=start))
    whole = compute(dataclasses.replace(short, steps=6), splits())
    assert resumed.models[0].parameters_sha256 == whole.models[0].parameters_sha256
