"""A run from Python leaves what the command leaves, and resumes as the command resumes."""

import dataclasses
import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import RunInterruptedError, Settings, UserError, Validation, layers_from_text
from ffnn_jax.data import Splits, from_arrays
from ffnn_jax.nn import ReLU
from ffnn_jax.runs import fit
from ffnn_jax.training import Callbacks, Progress

LAYERS = layers_from_text("conv 4 3, relu, maxpool 2, dense 3")
SETTINGS = Settings("mine", "arrays", LAYERS, steps=30, batch_size=8, validation_interval=10)


@pytest.fixture
def splits() -> Splits:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    images = rng.integers(0, 60, (200, 6, 6)) + 60 * labels[:, None, None]
    return from_arrays(images, 10 * labels.astype(np.uint64))


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "model.npz") as file:
        return {name: file[name] for name in file.files if name.startswith("model_")}


class Stopping(Callbacks):
    """Presses Ctrl-C at a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_progress(self, progress: Progress) -> None:
        if progress.step >= self._step:
            signal.raise_signal(signal.SIGINT)
            self._step = 10**9


def test_own_arrays_are_trained_on_and_the_folder_is_a_run_s(tmp_path: Path, splits: Splits):
    result = fit(SETTINGS, splits, tmp_path / "run")
    test = splits.test
    assert test.class_names == ("0", "10", "20")
    assert result.model.accuracy(test.images, test.labels) == result.test_accuracy[0] > 0.9
    with pytest.raises(ValueError, match=r"labels must be \(30,\)"):
        result.model.accuracy(test.images, test.labels[:-1])
    grey = result.model.predict(test.images[..., 0])
    np.testing.assert_array_equal(grey, result.model.predict(test.images))
    for wrong in (10 * test.labels, test.labels - 1, test.labels / 1, test.labels.astype(str)):
        with pytest.raises(ValueError, match="labels must be integers from 0 to 2, positions in"):
            result.model.accuracy(test.images, wrong)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"checkpoints", "config.json", "settings.toml", "model.npz", "page.html"} <= left
    assert json.loads((tmp_path / "run/config.json").read_text())["dataset"] == "arrays in memory"


def test_interrupted_and_called_again_it_has_the_bits_of_one_that_was_not(
    tmp_path: Path, splits: Splits
):
    fit(SETTINGS, splits, tmp_path / "whole", Callbacks(), every=10)
    with pytest.raises(RunInterruptedError, match=r"saved at step \d+; call fit again to resume"):
        fit(SETTINGS, splits, tmp_path / "parts", Stopping(10), every=10)
    assert not (tmp_path / "parts" / "model.npz").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    fit(SETTINGS, splits, tmp_path / "parts", Callbacks())
    whole, parts = (arrays_of(tmp_path / name) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)


def test_with_more_steps_it_trains_on(tmp_path: Path, splits: Splits, capsys):
    fit(SETTINGS, splits, tmp_path / "run")
    capsys.readouterr()
    result = fit(dataclasses.replace(SETTINGS, steps=40), splits, tmp_path / "run")
    assert [record.step for record in result.trained.history][-1] == 40
    printed = capsys.readouterr().out
    assert printed.startswith("device ")
    assert re.findall(r"^step (\d+)/40 ", printed, re.MULTILINE) == ["40"]


def test_other_settings_or_other_images_are_another_run(tmp_path: Path, splits: Splits):
    fit(SETTINGS, splits, tmp_path / "run", Callbacks())
    other = dataclasses.replace(SETTINGS, learning_rate=0.2)
    with pytest.raises(UserError, match=r"run: holds another run: learning_rate was 0.1 "):
        fit(other, splits, tmp_path / "run")
    other = dataclasses.replace(SETTINGS, layers=layers_from_text("dense 3"))
    with pytest.raises(UserError, match=r"layers was conv 4 3, relu, .* and is now dense 3; use"):
        fit(other, splits, tmp_path / "run")
    changed = splits._replace(test=dataclasses.replace(splits.test, images=splits.test.images + 1))
    with pytest.raises(UserError, match=r"labels of .*/test have changed"):
        fit(SETTINGS, changed, tmp_path / "run")


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, splits: Splits):
    (tmp_path / "cat.png").touch()
    for folder in (tmp_path, tmp_path / "cat.png"):
        with pytest.raises(UserError, match="holds no run, but other files; name a new folder"):
            fit(SETTINGS, splits, folder)
    assert [one.name for one in tmp_path.iterdir()] == ["cat.png"]


def test_what_are_no_splits_is_said(tmp_path: Path, splits: Splits):
    with pytest.raises(UserError, match="splits must be Splits, as from_arrays"):
        fit(SETTINGS, (splits.train.images, splits.train.labels), tmp_path)  # type: ignore[arg-type]


def test_a_layer_that_cannot_be_saved_leaves_no_folder(tmp_path: Path, splits: Splits):
    taken = type("ReLU", (ReLU,), {})
    with pytest.raises(UserError, match="the name ReLU is taken by another layer"):
        fit(dataclasses.replace(SETTINGS, layers=(ReLU(), taken())), splits, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_preset_is_adapted_to_the_images(tmp_path: Path, splits: Splits):
    train = dataclasses.replace(splits.train)
    settings = dataclasses.replace(
        SETTINGS, layers=layers_from_text("dense 10"), validation=Validation("drawn", 2001)
    )
    result = fit(settings, Splits(train, None, splits.test), tmp_path / "run", Callbacks())
    assert result.models[0].network.output_shape == (3,)
    assert result.settings.validation == Validation("drawn", len(train) // 5)


def test_outside_of_the_main_thread_it_runs_without_signals(tmp_path: Path, splits: Splits):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(fit(SETTINGS, splits, tmp_path / "run", Callbacks()))
    )
    thread.start()
    thread.join()
    assert len(results) == 1


@pytest.mark.slow
def test_a_second_interrupt_ends_it_at_once(tmp_path: Path):
    program = """
import numpy as np, signal, sys
from ffnn_jax.runs._fit import _saving_on_interrupt
from ffnn_jax._errors import StopRequest
stop = StopRequest()
with _saving_on_interrupt(stop):
    signal.raise_signal(signal.SIGINT)
    print(stop.signal == signal.SIGINT, flush=True)
    signal.raise_signal(signal.SIGINT)
    print("never")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "True\n"
    assert "KeyboardInterrupt" in ran.stderr
