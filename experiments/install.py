"""README's table of the installation: size, time, and the versions that were tested.

Command: python -m experiments.install python3.11 python3.12
Time: about five minutes for each Python.

Installs the package in a fresh virtual environment per Python, measures it and runs the tests.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import tyro

from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from ffnn_jax.config import UserError

# The test that README quotes the numbers measured here.
_DESELECTED = "tests/experiments/test_page.py::test_files_that_quote_results_are_up_to_date"
_CLONE = Path(__file__).parents[1]


def measure(interpreter: str) -> dict[str, Any]:
    """Installs and tests in a fresh environment with this interpreter."""
    with tempfile.TemporaryDirectory() as environment:
        subprocess.run([interpreter, "-m", "venv", environment], check=True)
        python = str(Path(environment) / "bin" / "python")
        install_seconds = _run_timed(python, "-m", "pip", "install", "-q", "-e", ".")[0]
        files = [path for path in Path(environment).rglob("*") if path.is_file()]
        megabytes = sum(path.stat().st_size for path in files) / 1e6
        _run_timed(python, "-m", "pip", "install", "-q", "-e", ".[test]")
        test_seconds, printed = _run_timed(python, "-m", "pytest", "--deselect", _DESELECTED)
        passed = re.search(r"(\d+) passed", printed)
        show = "import platform, jax; print(platform.python_version(), jax.__version__)"
        python_version, jax_version = _run_timed(python, "-c", show)[1].split()
    return {
        "python": python_version,
        "jax": jax_version,
        "platform": sys.platform,
        "install_seconds": install_seconds,
        "megabytes": megabytes,
        "tests_passed": int(passed[1]) if passed else 0,
        "test_seconds": test_seconds,
    }


def main(interpreters: Annotated[list[str], tyro.conf.Positional]) -> None:
    """Measures the installation with each of these interpreters."""
    path = folder_for(quick=False) / "install.json"
    rows = read_result(path)["rows"] if path.exists() else []
    for interpreter in interpreters:
        row = measure(interpreter)
        rows = [other for other in rows if other["python"] != row["python"]] + [row]
        rows.sort(key=lambda row: [int(part) for part in row["python"].split(".")])
        write_result(RESULTS / "install.json", {"quick": False, "rows": rows})
        print(row)


def _run_timed(*command: str) -> tuple[float, str]:
    """Runs a command in the clone; returns its seconds and its output.

    Raises:
        UserError: the command failed.
    """
    began = time.perf_counter()
    result = subprocess.run(command, cwd=_CLONE, check=False, capture_output=True, text=True)
    if result.returncode:
        last = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
        raise UserError(f"{' '.join(command)} failed:\n{last}")
    return time.perf_counter() - began, result.stdout


if __name__ == "__main__":
    run_command(main)
