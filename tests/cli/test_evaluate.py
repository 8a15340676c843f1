"""``ffnn-jax evaluate``."""

import json

import numpy as np
import pytest

from ffnn_jax.data import load
from tests.cli.conftest import code_of


def test_evaluate_takes_the_run_s_own_data(run, capsys):
    assert code_of("evaluate", run, "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dataset"], found["images"]) == ("mnist_5k/test", 1000)
    assert np.trace(found["confusion"]) / 1000 == found["accuracy"]
    assert found["sha256"] == load("mnist_5k", "test").sha256


def test_evaluate_prints_the_table_of_classes(run, capsys):
    assert code_of("evaluate", run, "--split", "train[:100]") == 0
    said = capsys.readouterr().out
    assert said.startswith("mnist_5k/train[:100]: 100 images, accuracy 0.")
    assert "| Recall |" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "--dataset", "mnist_5"], "did you mean mnist_5k?"),
        (["RUN/model.npz", "--split", "tst"], "tst"),
        (["nowhere"], "nowhere: no such file; RUN is a folder that train left"),
    ],
)
def test_what_cannot_be_evaluated_is_rejected_in_one_line(words, message, run, capsys):
    assert code_of("evaluate", *(word.replace("RUN", str(run)) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_model_without_its_run_needs_the_data_set_s_name(model_alone, capsys):
    assert code_of("evaluate", model_alone) == 2
    assert "give --dataset" in capsys.readouterr().err
    assert code_of("evaluate", model_alone, "--dataset", "mnist_5k") == 0
