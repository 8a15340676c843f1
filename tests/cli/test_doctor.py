"""``ffnn-jax doctor``."""

import json

from ffnn_jax.cli import _doctor_run
from ffnn_jax.data.preparation import prepare
from ffnn_jax.runs import Finding
from tests.cli.conftest import code_of, in_a_process


def test_doctor_finds_nothing_wrong_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert code_of("doctor", "--data-dir", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert any("no intact set (run ffnn-jax data prepare NAME" in line for line in lines)


def test_findings_are_written_as_json(capsys):
    assert code_of("doctor", "--json", "-") == 0
    findings = {item["about"]: item for item in json.loads(capsys.readouterr().out)}
    assert {"versions", "devices", "gradient", "data", "runs", "cache"} <= set(findings)
    assert all(finding["remedy"] == "" for finding in findings.values())


def test_a_problem_is_marked_with_its_remedy(tmp_path, monkeypatch, capsys):
    finding = Finding("runs", f"{tmp_path}: full", "free 2 GiB")
    monkeypatch.setattr(_doctor_run, "examine", lambda folder: [finding])
    assert code_of("doctor") == 1
    assert capsys.readouterr().out == f"!! runs       {tmp_path}: full; free 2 GiB\n"


def test_a_truncated_data_set_is_a_finding(tmp_path, capsys):
    prepare("mnist_5k", folder=tmp_path)
    shard = next(tmp_path.glob("mnist_5k/*/*test.array_record*"))
    shard.write_bytes(shard.read_bytes()[:-99])
    assert code_of("doctor", "--data-dir", tmp_path) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("!!")]
    assert str(shard) in line and "prepare the set again" in line


def test_a_missing_platform_is_a_finding(tmp_path):
    ran = in_a_process(tmp_path, "doctor", JAX_PLATFORMS="abacus")
    assert ran.returncode == 1
    (line,) = (line for line in ran.stdout.splitlines() if line.startswith("!! devices"))
    assert "JAX_PLATFORMS is 'abacus', available here: " in line and "; unset JAX_PLATFORMS" in line
    assert ran.stderr == ""


def test_several_devices_are_listed_and_one_is_used(tmp_path):
    flags = "--xla_force_host_platform_device_count=3"
    ran = in_a_process(tmp_path, "doctor", JAX_PLATFORMS="cpu", XLA_FLAGS=flags)
    assert "ok devices    cpu 0, cpu 1, cpu 2, 1 used: " in ran.stdout
