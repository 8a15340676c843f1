"""``ffnn-jax report``, ``ffnn-jax summary`` and ``ffnn-jax doctor``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffnn_jax.cli import _examination, main
from ffnn_jax.config import PRESETS
from ffnn_jax.data.preparation import prepare


def code_of(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_summary_without_its_data(preset, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert code_of("summary", preset) == 0
    assert "Softmaxloss" in capsys.readouterr().out


def test_a_summary_counts_parameters_and_work(capsys):
    code_of("summary", "mnist")
    said = capsys.readouterr().out
    assert said.startswith("mnist: 14,682 parameters\n")
    assert "5,017,600" in said


def test_doctor_finds_nothing_wrong_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert code_of("doctor", "--data-dir", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert any("no set (ffnn-jax data prepare NAME" in line for line in lines)


def test_doctor_s_findings_are_json(capsys):
    assert code_of("doctor", "--json", "-") == 0
    found = {one["about"]: one for one in json.loads(capsys.readouterr().out)}
    assert {"versions", "devices", "gradient", "data", "runs", "cache"} <= set(found)
    assert all(one["remedy"] == "" for one in found.values())


def test_what_stands_in_the_way_is_marked_with_its_remedy(monkeypatch, capsys):
    finding = _examination._writable("runs", Path("/proc/none"))
    assert finding.remedy == "choose another folder"
    monkeypatch.setattr(_examination, "examine", lambda folder: [finding])
    assert code_of("doctor") == 1
    assert capsys.readouterr().out.startswith("!! runs       /proc/none: ")


def test_a_full_disk_is_a_finding(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr(_examination.shutil, "disk_usage", lambda folder: usage)
    assert _examination._writable("runs", tmp_path).remedy == "free 2 GiB"


def test_a_data_set_that_is_cut_short_is_a_finding(tmp_path, capsys):
    prepare("mnist_5k", folder=tmp_path)
    shard = next(tmp_path.glob("mnist_5k/*/*test.array_record*"))
    shard.write_bytes(shard.read_bytes()[:-99])
    assert code_of("doctor", "--data-dir", tmp_path) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("!!")]
    assert str(shard) in line and "prepare it anew" in line


def test_a_cache_that_is_a_file_is_a_finding(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("")
    monkeypatch.setattr(_examination, "keep_compiled_programs", lambda: tmp_path / "cache")
    assert "JAX_COMPILATION_CACHE_DIR" in _examination._cache().remedy


def test_platforms_that_are_not_there_are_a_finding(tmp_path):
    ran = in_a_process(tmp_path, "doctor", JAX_PLATFORMS="abacus")
    assert ran.returncode == 1
    assert "JAX_PLATFORMS is 'abacus': unset it" in ran.stdout
    assert ran.stderr == ""


def test_what_nobody_foresaw_is_one_line_unless_asked(tmp_path):
    ran = in_a_process(tmp_path, "summary", JAX_DEFAULT_MATMUL_PRECISION="fairly")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "(--debug shows where)" in ran.stderr
    ran = in_a_process(tmp_path, "summary", "--debug", JAX_DEFAULT_MATMUL_PRECISION="fairly")
    assert "Traceback" in ran.stderr


def in_a_process(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ffnn_jax", *words],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_narrow_terminal_shows_the_table_whole(tmp_path):
    ran = in_a_process(tmp_path, "summary", COLUMNS="40")
    assert "…" not in ran.stdout
    assert "14,682" in ran.stdout


def test_a_wrong_gradient_is_a_finding(monkeypatch):
    monkeypatch.setattr(_examination, "dense", lambda x, w, b: (2 * x) @ w + b[None, :])
    assert _examination._gradient().remedy == "reinstall jax for the device"


def test_an_unknown_preset_is_refused_with_the_nearest(capsys):
    assert code_of("summary", "cifar10-33") == 2
    assert "did you mean cifar10-3?" in capsys.readouterr().err


def test_a_folder_that_no_run_left_has_no_page(tmp_path, capsys):
    assert code_of("report", tmp_path) == 2
    assert "is no finished run" in capsys.readouterr().err
