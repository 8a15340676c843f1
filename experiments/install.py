"""What README says of the installation: size, time, and the versions that were really run.

Command: python -m experiments.install python3.11 python3.12
Time: about five minutes for each Python.

For each Python a fresh virtual environment gets the package, is measured, and runs the tests.
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

# The test that README holds these very numbers.
_OF_THIS = "tests/experiments/test_page.py::test_all_that_quotes_results_is_made_from_them"
_CLONE = Path(__file__).parents[1]


def measure(interpreter: str) -> dict[str, Any]:
    """Installs and tests in a fresh environment of this Python."""
    with tempfile.TemporaryDirectory() as environment:
        subprocess.run([interpreter, "-m", "venv", environment], check=True)
        python = str(Path(environment) / "bin" / "python")
        install_seconds = _timed(python, "-m", "pip", "install", "-q", "-e", ".")[0]
        files = [path for path in Path(environment).rglob("*") if path.is_file()]
        megabytes = sum(path.stat().st_size for path in files) / 1e6
        _timed(python, "-m", "pip", "install", "-q", "-e", ".[test]")
        test_seconds, printed = _timed(python, "-m", "pytest", "--deselect", _OF_THIS)
        passed = re.search(r"(\d+) passed", printed)
        show = "import platform, jax; print(platform.python_version(), jax.__version__)"
        python_version, jax_version = _timed(python, "-c", show)[1].split()
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
    """Measures the installation with each of these Pythons."""
    path = folder_for(quick=False) / "install.json"
    rows = read_result(path)["rows"] if path.exists() else []
    for interpreter in interpreters:
        row = measure(interpreter)
        rows = [other for other in rows if other["python"] != row["python"]] + [row]
        rows.sort(key=lambda row: [int(part) for part in row["python"].split(".")])
        write_result(RESULTS / "install.json", {"quick": False, "rows": rows})
        print(row)


def _timed(*command: str) -> tuple[float, str]:
    """Seconds that a command took in the clone, and what it printed.

    Raises:
        UserError: it failed.
    """
    began = time.perf_counter()
    done = subprocess.run(command, cwd=_CLONE, check=False, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise UserError(f"{' '.join(command)} failed:\n{last}")
    return time.perf_counter() - began, done.stdout


if __name__ == "__main__":
    run_command(main)
