"""``ffnn-jax evaluate``."""

import json

import numpy as np
import pytest

from ffnn_jax.data import load
from tests.cli.conftest import code_of


def test_evaluate_defaults_to_the_run_s_data_set(run, capsys):
    assert code_of("evaluate", run, "--json", "-") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["dataset"], result["images"]) == ("mnist_5k/test", 1000)
    assert np.trace(result["confusion"]) / 1000 == result["accuracy"]
    assert result["sha256"] == load("mnist_5k", "test").sha256


def test_evaluate_prints_precision_and_recall(run, capsys):
    assert code_of("evaluate", run, "--split", "train[:100]") == 0
    output = capsys.readouterr().out
    assert output.startswith("mnist_5k/train[:100]: 100 images, accuracy 0.")
    assert "| Recall |" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "--dataset", "mnist_5"], "did you mean mnist_5k?"),
        (["RUN/model.npz", "--split", "tst"], "tst"),
        (["nowhere"], "nowhere: no such file; RUN is a folder that train left"),
        (["RUN", "--model", "x"], "Error parsing --model: must be an integer, got 'x'"),
    ],
)
def test_a_bad_argument_is_rejected_in_one_line(words, message, run, capsys):
    assert code_of("evaluate", *(word.replace("RUN", str(run)) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_run_that_did_not_finish_is_to_be_resumed(tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    assert code_of("evaluate", tmp_path) == 2
    assert "model.npz: no such file" in capsys.readouterr().err  # nor a checkpoint to resume from
    (tmp_path / "checkpoints" / "step-0000000000.npz").touch()
    assert code_of("evaluate", tmp_path) == 2
    line = f"ffnn-jax: {tmp_path}: a run that did not finish; resume it with: ffnn-jax train "
    assert capsys.readouterr().err == f"{line}--resume {tmp_path}\n"


@pytest.mark.parametrize("config", ["{", "[]", "{}", "[" * 100_000])
def test_a_config_that_names_no_data_set_is_said_in_one_line(config, model_alone, capsys):
    (model_alone.parent / "config.json").write_text(config)
    assert code_of("evaluate", model_alone) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("no config.json that names a data set; pass --dataset")


def test_a_model_without_its_run_needs_a_data_set(model_alone, capsys):
    assert code_of("evaluate", model_alone) == 2
    assert "pass --dataset" in capsys.readouterr().err
    assert code_of("evaluate", model_alone, "--dataset", "mnist_5k") == 0
