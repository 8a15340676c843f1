"""``ffnn-jax report``, ``ffnn-jax summary`` and ``ffnn-jax doctor``."""

import json
from pathlib import Path

import pytest

from ffnn_jax.cli import _examination, main
from ffnn_jax.config import PRESETS


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


def test_a_wrong_gradient_is_a_finding(monkeypatch):
    monkeypatch.setattr(_examination, "dense", lambda x, w, b: (2 * x) @ w + b[None, :])
    assert _examination._gradient().remedy == "reinstall jax for the device"


def test_an_unknown_preset_is_refused_with_the_nearest(capsys):
    assert code_of("summary", "cifar10-33") == 2
    assert "did you mean cifar10-3?" in capsys.readouterr().err


def test_a_folder_that_no_run_left_has_no_page(tmp_path, capsys):
    assert code_of("report", tmp_path) == 2
    assert "is no finished run" in capsys.readouterr().err
