"""Running statistics, dropout and a residual block, in all files of a run."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax.config import AlternatingFlip, Crop, Settings, Validation, preset
from ffnn_jax.data import Dataset, Splits, load_splits
from ffnn_jax.models import load, save_exported
from ffnn_jax.nn import BatchNorm, Conv, Dense, Dropout, Layer, MaxPool, ReLU, Residual
from ffnn_jax.runs import (
    CheckpointManager,
    RunResult,
    compute,
    forms_here,
    last_checkpoint,
    write_run,
)

RESIDUAL = Residual((Dense(32), BatchNorm(), ReLU(), Dropout(0.2)))
LAYERS = (Dense(32), BatchNorm(), ReLU(), RESIDUAL, Dense(10))
SETTINGS = dataclasses.replace(
    preset("quickstart"), layers=LAYERS, steps=300, validation=Validation("drawn", 500),
    validation_interval=100,
)  # fmt: skip

PROGRAM = """
import json, sys
from pathlib import Path
from typing import Any
from ffnn_jax.config import Settings
from ffnn_jax.runs import CheckpointManager, compute, last_checkpoint
folder, resumes = Path(sys.argv[1]), len(sys.argv) > 3
settings = Settings.from_json(json.loads(sys.argv[2]))
start = last_checkpoint(folder) if resumes else None
result = compute(settings, callbacks=CheckpointManager(folder, every=10, start=start))
model = result.models[0]
print(model.parameters_sha256, *(x.tobytes().hex() for x in model.state["batchnorm_2"].values()))
"""


@pytest.fixture(scope="module")
def result() -> RunResult:
    return compute(SETTINGS)


@pytest.fixture(scope="module")
def folder(result: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"), result)


def test_it_learns_the_digits(result: RunResult):
    assert result.test_accuracy[0] > 0.85


def test_an_image_has_the_same_probabilities_alone_and_among_40(folder: Path, result: RunResult):
    model, images = load(folder / "model.npz"), result.splits.test.images[:40]
    together = model.probabilities(images)
    alone = np.concatenate([model.probabilities(images[k : k + 1]) for k in range(40)])
    assert np.abs(together - alone).max() <= 1e-6


def test_a_model_file_holds_the_running_statistics(folder: Path, result: RunResult):
    model, again = result.models[0], load(folder / "model.npz")
    assert jax.tree.structure(again.state) == jax.tree.structure(model.state)
    jax.tree.map(np.testing.assert_array_equal, again.state, model.state)
    assert np.abs(again.state["batchnorm_2"]["mean"]).max() > 0.1


def test_an_exported_program_uses_the_running_statistics(folder: Path, result: RunResult):
    model = load(folder / "model.npz")
    assert save_exported(folder / "model.stablehlo", model) <= 1e-6
    start = dataclasses.replace(model, state=model.network.init(jax.random.key(0))[1])
    images = result.splits.test.images[:5]
    assert np.abs(start.probabilities(images) - model.probabilities(images)).max() > 0.01


def test_its_page_and_tables_have_a_row_for_every_layer_inside(folder: Path):
    table = (folder / "table_2.md").read_text(encoding="utf-8")
    numbers = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert numbers == ["", "1", "2", "3", "4", "4.1", "4.2", "4.3", "4.4", "5", ""]
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "Residual(body=(Dense(" in page
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert Settings.from_json(config) == dataclasses.replace(SETTINGS, forms=forms_here())


def started(folder: Path, *more: str, **settings: int) -> subprocess.Popen[str]:
    config = json.dumps(dataclasses.replace(SETTINGS, **settings).to_json())
    command = [sys.executable, "-c", PROGRAM, str(folder), config, *more]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow  # tests/faults kills a run by default, and below one with state is resumed
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path):
    """It is killed as soon as it has a checkpoint of some steps, long before its end."""
    uninterrupted = started(tmp_path / "uninterrupted", steps=400)
    killed = started(tmp_path / "killed", steps=400)
    checkpoints, end = tmp_path / "killed" / "checkpoints", time.monotonic() + 120
    while not list(checkpoints.glob("step-*[1-9]0.npz")) and time.monotonic() < end:
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    assert killed.returncode != 0
    expected, _ = uninterrupted.communicate()
    assert 0 < last_checkpoint(tmp_path / "killed").about["step"] < 400
    actual, _ = started(tmp_path / "killed", "resume", steps=400).communicate()
    assert actual == expected != ""


@dataclasses.dataclass(frozen=True)
class Doubled(Layer):
    """A custom layer, which a file can only refer to by name."""

    by: tuple[float, ...] = (2.0,)

    def __call__(self, params: Any, x: Any) -> Any:
        return self.by[0] * x


def test_a_run_with_a_custom_layer_is_resumed_in_python(tmp_path: Path):
    settings = dataclasses.replace(SETTINGS, layers=(Doubled(), Dense(10)), steps=12)
    compute(dataclasses.replace(settings, steps=6), callbacks=CheckpointManager(tmp_path, every=3))
    start = last_checkpoint(tmp_path)
    assert start.about["step"] == 6
    resumed = compute(settings, callbacks=CheckpointManager(tmp_path, start=start))
    uninterrupted = compute(settings)
    assert resumed.models[0].parameters_sha256 == uninterrupted.models[0].parameters_sha256
    assert Settings.from_json(start.about["settings"], layers=[Doubled]).layers == settings.layers


def test_a_run_without_validation_writes_all_its_files(tmp_path: Path):
    settings = dataclasses.replace(
        SETTINGS, layers=(Dense(10),), steps=20, validation=Validation("none"),
        sampling="epochs", seeds=2,
    )  # fmt: skip
    splits = load_splits("mnist_5k")._replace(validation=None)
    result = compute(settings, splits, CheckpointManager(tmp_path))
    assert result.validation_accuracy == [None, None]
    assert result.best == 0
    write_run(tmp_path, result)
    stored = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert stored["validation_accuracy"] == [None, None]
    assert "accuracy test" in repr(result)
    assert not (tmp_path / "checkpoints" / "best.npz").exists()


@pytest.mark.cpu
@pytest.mark.parametrize("optimizer", ["muon", pytest.param("nesterov", marks=pytest.mark.slow)])
def test_a_resumed_run_of_the_ladder_s_recipe_gives_the_same_bits(tmp_path: Path, optimizer: str):
    """Lookahead, a group that has ended, alternating flips, and six views at the end."""
    layers = (
        Conv(8, 2, padding="VALID", start="whitening"), MaxPool(2),
        Conv(8, 3, start="dirac", bias=False), BatchNorm(0.6, scale=False), Dense(2),
    )  # fmt: skip
    settings = dataclasses.replace(
        preset("cifar10-94"), layers=layers, steps=24, batch_size=20,
        augmentations=(AlternatingFlip(), Crop(2)), optimizer=optimizer, lookahead=5,
        group_steps=(("whitening", 6),), learning_rate=0.02, group_rates=(("norm", 4.0),),
    )  # fmt: skip
    splits = Splits(*(noise(name) for name in ("train", "validation", "test")))
    folder = tmp_path / "run"
    whole = compute(settings, splits, CheckpointManager(folder, every=4)).models[0]
    max((folder / "checkpoints").glob("step-*.npz")).unlink()
    start = last_checkpoint(folder)
    assert start.about["step"] == 20
    assert any("/slow/" in name for name in start.arrays)
    resumed = compute(settings, splits, CheckpointManager(folder, start=start)).models[0]
    assert resumed.views == whole.views == "six"
    for ours, theirs in zip(
        *(jax.tree.leaves((model.params, model.state)) for model in (resumed, whole)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def noise(name: str) -> Dataset:
    images = np.random.default_rng(len(name)).integers(0, 256, (60, 8, 8, 1), np.uint8)
    return Dataset(name, images, np.arange(60, dtype=np.int32) % 2, ("a", "b"))
