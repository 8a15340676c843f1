"""Runs and models of format 1, written before layers had state, are read and resumed.

The files are of a run of six steps and two seeds on mnist_5k, with jax 0.10 on a CPU.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import Settings
from ffnn_jax.models import load, load_arrays
from ffnn_jax.runs import Checkpoints, compute, last_checkpoint

HERE = Path(__file__).parent / "format_1"
MODEL = Path(__file__).parents[1] / "models" / "format_1" / "model.npz"
SHA256 = [
    "6db5a084e771694b67d70e705cc5e7805c2209a7228f3a2e4a8fc3b60084f38b",
    "fd05fb43207cbc848140579ae4ee4af989da129be02b795a80d8fa8a1693d028",
]


@pytest.mark.parametrize("member", [0, 1])
def test_a_model_of_format_1_is_the_model_that_was_saved(member: int):
    model = load(MODEL, member)
    assert load_arrays(MODEL).format == 1
    assert model.parameters_sha256 == SHA256[member]
    assert model.state == {}
    blank = np.zeros((1, 28, 28, 1), np.uint8)
    assert model.probabilities(blank).sum() == pytest.approx(1, rel=1e-6)


def test_a_checkpoint_of_format_1_is_the_state_that_was_saved():
    saved = last_checkpoint(HERE)
    assert saved.about["step"] == 6
    assert saved.about["settings"]["validation"] == "drawn:2800"
    assert {name.split("/")[1] for name in saved.arrays} == {"params", "opt_state", "step"}


def test_a_run_of_format_1_is_resumed(tmp_path: Path):
    """To more steps, from the parameters that it had, with the momentum that it had."""
    shutil.copytree(HERE, tmp_path / "run")
    settings = Settings.from_json(json.loads((HERE / "config.json").read_text()))
    start = last_checkpoint(tmp_path / "run")
    settings = Settings.from_json(start.about["settings"] | {"steps": 12})
    resumed = compute(settings, callbacks=Checkpoints(tmp_path / "run", start=start))
    straight = compute(settings)
    for ours, theirs in zip(resumed.models, straight.models, strict=True):
        for name, layer in ours.params.items():
            for array, value in layer.items():
                np.testing.assert_allclose(value, theirs.params[name][array], rtol=1e-5, atol=1e-6)
    assert load_arrays(tmp_path / "run" / "checkpoints" / "step-0000000012.npz").format == 2
