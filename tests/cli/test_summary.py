"""``ffnn-jax summary``."""

import dataclasses
import re
from pathlib import Path

import pytest

from ffnn_jax.config import PRESETS, named_settings
from ffnn_jax.runs import write_config
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


def test_layers_of_any_shape_have_a_summary_with_what_each_keeps(capsys):
    words = ["--layers", "conv 2 3, relu, dense 3", "--shape", "4x6x1", "--time"]
    assert code_of("summary", *words) == 0
    first, *table = capsys.readouterr().out.splitlines()
    assert first == f"layers: {2 * 9 + 2 + 48 * 3 + 3} parameters, times of a batch of 32"
    (conv,) = (line for line in table if "Convolutional" in line)
    kept, forward, backward = conv.split()[-3:]
    assert kept == str(4 * 6 * 4)
    assert min(float(forward), float(backward)) > 0


def test_a_settings_file_and_a_run_have_a_summary(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = 'preset = "quickstart"\nlayers = "conv 2 3, relu, dense 10"\nprecision = "bf16"'
    Path("my.toml").write_text(text)
    assert code_of("summary", "my.toml") == 0
    of_file = capsys.readouterr().out
    assert of_file.startswith(f"quickstart: {2 * 9 + 2 + 28 * 28 * 2 * 10 + 10:,} parameters\n")
    assert re.search(rf"Total .* {2 * 28 * 28 * (1 + 2) + 28 * 28 * 2:,}\s*$", of_file)
    write_config(Path("run"), named_settings("my.toml").settings)
    assert code_of("summary", "run") == 0
    assert capsys.readouterr().out == of_file


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--shape", "4x-1"], "shape must be sizes joined by x, as in 28x28x1, got '4x-1'"),
        (["--shape", "4"], "layer 1, Conv(init_fan_in=75, filters=16, size=5): needs an image "),
        (["--layers", "dens 3"], "layers, character 1: unknown layer 'dens'; did you mean dense?"),
        (["."], ".: not a settings file (.toml) or the folder of a run; if it is a data set: "),
        (["none.toml"], "none.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_network_that_cannot_be_is_rejected_in_one_line(
    words, problem, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert code_of("summary", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ffnn-jax: {problem}")


def test_an_unexpected_error_is_one_line_without_debug(tmp_path):
    ran = in_a_process(tmp_path, "summary", JAX_DEFAULT_MATMUL_PRECISION="fairly")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "(--debug shows where)" in ran.stderr
    ran = in_a_process(tmp_path, "summary", "--debug", JAX_DEFAULT_MATMUL_PRECISION="fairly")
    assert "Traceback" in ran.stderr
