"""Helpers that call the command, and a run for the commands that need one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw

from ffnn_jax.cli import main
from ffnn_jax.models import Model, save
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Dense, MaxPool


def code_of(*words: object) -> int:
    """The exit code of ``ffnn-jax`` with these arguments."""
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def in_a_process(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``ffnn-jax`` in a separate process, with a working folder and environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "ffnn_jax", *words],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder like one written by train, with two untrained digit models."""
    folder = tmp_path_factory.mktemp("run")
    network = Network((MaxPool(4), Dense(10)), (28, 28, 1))
    one = np.ones(1, np.float32)
    models = [
        Model(
            network, *network.init(jax.random.key(k)), Normalisation(one, one), tuple("0123456789")
        )
        for k in (0, 1)
    ]
    save(folder / "model.npz", models, best=1)
    (folder / "config.json").write_text(json.dumps({"dataset": "mnist_5k"}))
    return folder


@pytest.fixture
def model_alone(run: Path, tmp_path: Path) -> Path:
    """A model file in a folder without the run's other files."""
    (tmp_path / "model.npz").write_bytes((run / "model.npz").read_bytes())
    return tmp_path / "model.npz"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a picture of a digit and a file that is not an image."""
    image = Image.new("L", (90, 60), 255)
    ImageDraw.Draw(image).line([(40, 10), (40, 50)], fill=0, width=6)
    (tmp_path / "pictures").mkdir()
    image.save(tmp_path / "pictures" / "one.png")
    (tmp_path / "pictures" / "bad.png").write_text("no")
    return tmp_path / "pictures"
