"""A model as StableHLO: the same function for any batch size, in a process with only jax."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.models import PLATFORMS, Model, _model, export_model, save_exported
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU

NETWORK = Network((Conv(2, 3), ReLU(), MaxPool(2), Dense(3)), (6, 5, 2))
NORMALISATION = Normalisation(np.array([1 / 255, 1 / 99], np.float32), np.zeros(2, np.float32))
MODEL = Model(NETWORK, *NETWORK.init(jax.random.key(0)), NORMALISATION, ("cat", "dog", "eel"))

ALONE = """
import sys
import numpy as np
from jax import export
program = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
pixels = np.load(sys.argv[2])
np.save(sys.argv[3], np.asarray(program.call(pixels)))
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"ffnn_jax", "optax", "tensorflow_datasets", "matplotlib"}, loaded
"""


def test_the_program_supports_three_platforms_and_any_batch_size():
    program = export_model(MODEL)
    assert program.platforms == PLATFORMS == ("cpu", "cuda", "tpu")
    assert str(program.in_avals[0]) == "uint8[batch,6,5,2]"
    assert str(program.out_avals[0]) == "float32[batch,3]"


def test_the_program_holds_matrix_products_and_native_convolutions_to_choose_from():
    text = export_model(MODEL).mlir_module()
    for part in ("stablehlo.case", "stablehlo.dot_general", "stablehlo.convolution"):
        assert part in text


@pytest.mark.parametrize("batch", [1, 5])
def test_a_process_with_only_jax_predicts_the_same(tmp_path: Path, batch: int):
    file, inputs, outputs = (tmp_path / name for name in ("m.stablehlo", "x.npy", "z.npy"))
    assert save_exported(file, MODEL) <= 1e-6
    pixels = np.random.default_rng(1).integers(0, 256, (batch, 6, 5, 2), np.uint8)
    np.save(inputs, pixels)
    command = [sys.executable, "-I", "-c", ALONE, str(file), str(inputs), str(outputs)]
    subprocess.run(command, check=True, timeout=120)
    np.testing.assert_allclose(np.load(outputs), MODEL.probabilities(pixels), rtol=0, atol=1e-6)


def test_a_program_that_differs_from_the_model_is_rejected_and_removed(tmp_path, monkeypatch):
    other = Model(NETWORK, *NETWORK.init(jax.random.key(1)), NORMALISATION, MODEL.class_names)
    program = export_model(other)
    monkeypatch.setattr(_model, "export_model", lambda model: program)
    with pytest.raises(UserError, match=r"m\.stablehlo: the program differs from the model by "):
        save_exported(tmp_path / "m.stablehlo", MODEL)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_file_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match=r"export .* cannot be written"):
        save_exported(tmp_path / "no" / "m.stablehlo", MODEL)
