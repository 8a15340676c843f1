"""Runs and models written by earlier versions can be read and resumed.

The files are from runs of six steps and two seeds on mnist_5k, with jax 0.10 on a CPU. Format 1 is
from before layers had state, format 2 from when the input counted as layer 1.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.models import load, load_arrays
from ffnn_jax.runs import CheckpointManager, compute, last_checkpoint, resumed_settings

RUNS, MODELS = Path(__file__).parent, Path(__file__).parents[1] / "models"
SHA256 = {
    1: [
        "6db5a084e771694b67d70e705cc5e7805c2209a7228f3a2e4a8fc3b60084f38b",
        "fd05fb43207cbc848140579ae4ee4af989da129be02b795a80d8fa8a1693d028",
    ],
    2: [
        "7be2dba68db87d44c6d116e1c4265858198183651235c5f86c93f7627ea620de",
        "a83d923a6ba89bc06bf1d2e2eb7d45a5ef6b909e28328f4439c1389b2cccb4ed",
    ],
}
LAYERS = {1: {"conv_2", "dense_4"}, 2: {"conv_2", "batchnorm_3", "residual_5", "dense_6"}}

each_format = pytest.mark.parametrize("number", [1, 2])


@pytest.mark.parametrize("index", [0, 1])
@each_format
def test_a_model_is_restored(number: int, index: int):
    path = MODELS / f"format_{number}" / "model.npz"
    model = load(path, index)
    assert load_arrays(path).format == number
    assert model.parameters_sha256 == SHA256[number][index]
    assert set(model.params) == LAYERS[number]
    assert set(model.state) == LAYERS[number] & {"batchnorm_3"}
    blank = np.zeros((1, 28, 28, 1), np.uint8)
    assert model.probabilities(blank).sum() == pytest.approx(1, rel=1e-6)


@each_format
def test_a_checkpoint_is_restored(number: int):
    checkpoint = last_checkpoint(RUNS / f"format_{number}")
    assert checkpoint.about["step"] == 6
    assert checkpoint.about["settings"]["validation"] == "drawn:2800"
    kinds = {name.split("/")[1] for name in checkpoint.arrays}
    assert kinds == {"params", "opt_state", "step"} | ({"state"} if number == 2 else set())


@each_format
def test_a_run_is_resumed(number: int, tmp_path: Path):
    """It is resumed to more steps, with its parameters and momentum."""
    folder = RUNS / f"format_{number}"
    shutil.copytree(folder, tmp_path / "run")
    start = last_checkpoint(tmp_path / "run")
    settings = resumed_settings(tmp_path / "run", start, 12)
    resumed = compute(settings, callbacks=CheckpointManager(tmp_path / "run", start=start))
    uninterrupted = compute(settings)
    assert resumed.trained.history[0].step == 3
    for ours, theirs in zip(resumed.models, uninterrupted.models, strict=True):
        np.testing.assert_allclose(
            ours.probabilities(resumed.splits.test.images[:20]),
            theirs.probabilities(resumed.splits.test.images[:20]),
            rtol=1e-4,
            atol=1e-6,
        )
        for name, layer in ours.params.items():
            for array, value in layer.items():
                if not isinstance(value, dict):
                    other = theirs.params[name][array]
                    np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)
    written = load_arrays(tmp_path / "run" / "checkpoints" / "step-0000000012.npz")
    assert written.format == 3
