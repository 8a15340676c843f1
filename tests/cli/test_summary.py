"""``ffnn-jax summary``."""

import dataclasses

import pytest

from ffnn_jax.config import PRESETS
from tests.cli.conftest import code_of, in_a_process
from tests.data.conftest import toys, write_set


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_summary_without_its_data(preset, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    assert code_of("summary", preset) == 0
    assert "Softmaxloss" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_a_summary_counts_parameters_and_flops(capsys):
    code_of("summary", "mnist")
    output = capsys.readouterr().out
    assert output.startswith("mnist: 14,682 parameters\n")
    assert "5,017,600" in output


@pytest.mark.parametrize(("dataset", "parameters"), [("toy", "7,002"), ("svhn_cropped", "17,882")])
def test_a_preset_on_another_data_set_has_a_summary(
    dataset, parameters, tmp_path, monkeypatch, capsys
):
    """One is prepared, the other known only to tensorflow-datasets."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write_set(tmp_path, {"train": toys(10, (4, 4, 1))})
    changed = dataclasses.replace(PRESETS["quickstart"], dataset=dataset)
    monkeypatch.setitem(PRESETS, "quickstart", changed)
    capsys.readouterr()
    assert code_of("summary") == 0
    assert capsys.readouterr().out.startswith(f"quickstart: {parameters} parameters\n")


def test_a_preset_on_an_unknown_data_set_is_rejected(monkeypatch, capsys):
    changed = dataclasses.replace(PRESETS["quickstart"], dataset="mnits")
    monkeypatch.setitem(PRESETS, "quickstart", changed)
    assert code_of("summary") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ffnn-jax: unknown data set 'mnits' ")
    assert line.endswith("; did you mean mnist?")


def test_an_unknown_preset_is_rejected_with_the_nearest(capsys):
    assert code_of("summary", "cifar10-33") == 2
    assert "did you mean cifar10-3?" in capsys.readouterr().err


def test_a_narrow_terminal_shows_the_whole_table(tmp_path):
    ran = in_a_process(tmp_path, "summary", COLUMNS="40")
    assert "…" not in ran.stdout
    assert "14,682" in ran.stdout


def test_an_unexpected_error_is_one_line_without_debug(tmp_path):
    ran = in_a_process(tmp_path, "summary", JAX_DEFAULT_MATMUL_PRECISION="fairly")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "(--debug shows where)" in ran.stderr
    ran = in_a_process(tmp_path, "summary", "--debug", JAX_DEFAULT_MATMUL_PRECISION="fairly")
    assert "Traceback" in ran.stderr
