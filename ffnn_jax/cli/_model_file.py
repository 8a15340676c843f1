"""The model that a command is about: a run's folder, or the file itself."""

from pathlib import Path

from ffnn_jax.config import Refusal


def model_file(run: Path) -> Path:
    """The model file of a run.

    Raises:
        Refusal: there is none.
    """
    file = run / "model.npz" if run.is_dir() else run
    if not file.exists():
        raise Refusal(f"{file}: no such file; RUN is a folder that train left, or its model.npz")
    return file
