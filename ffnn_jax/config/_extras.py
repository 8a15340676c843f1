"""Packages that only some uses need."""

import importlib.util
import sys

from ffnn_jax._errors import UserError

RUN = (
    "array_record", "filelock", "flatbuffers", "jinja2", "matplotlib", "mlxtend", "PIL",
    "platformdirs", "psutil", "tensorflow_datasets",
)  # fmt: skip


def require_run(what: str) -> None:
    """Rejects what needs the packages of the extra ``run`` if they are not installed.

    Raises:
        UserError: a package is not installed; the message says how to install it.
    """
    missing = [name for name in RUN if importlib.util.find_spec(name) is None]
    if missing == ["array_record"] and sys.platform == "win32":
        raise UserError(f"{what} needs array_record, which has no build for Windows; it has in WSL")
    if missing:
        command = 'python -m pip install "ffnn-jax[run]"'
        raise UserError(f"{what} needs {missing[-1]}, which is not installed: {command}")


def require_proof(what: str) -> None:
    """Rejects proofs if python-flint is not installed; the message says how to install it."""
    _require(what, "flint", "python-flint", "proof")


def require_onnx(what: str) -> None:
    """Rejects what needs the package onnx if it is not installed, as ``require_proof``."""
    _require(what, "onnx", "onnx", "onnx")


def require_sweep(what: str) -> None:
    """Rejects a sweep if Dask's package distributed is not installed, as ``require_proof``."""
    _require(what, "distributed", "distributed", "sweep")


def _require(what: str, module: str, package: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        command = f'python -m pip install "ffnn-jax[{extra}]"'
        raise UserError(f"{what} needs {package}, which is not installed: {command}")


def require_grain() -> None:
    """Rejects streaming if Grain, or a package that it imports, is not installed.

    Raises:
        UserError: a package is not installed; the message names it.
    """
    try:
        importlib.import_module("grain")
    except ModuleNotFoundError as error:
        text = f"streaming needs {error.name}, which is not installed: pip install grain"
        raise UserError(text) from None
