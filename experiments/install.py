"""The guide's tables of the installation: the base beside what a run needs, and the sdist's tests.

Command: python -m experiments.install python3.11 python3.12 --tests
Time: two minutes for each Python, and its tests, ten minutes on two cores.

Every installation is of this clone, in a fresh virtual environment without pip's cache, so that the
time includes all downloads; the size is what pip adds. With --tests the sdist is built and
unpacked, and its own tests run there in one more fresh environment.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import tyro

from experiments._results import RESULTS, read_result, run_command, write_result
from ffnn_jax.config import UserError

RESULT = RESULTS / "install.json"
# The test that the guide quotes the numbers measured here.
_DESELECTED = "tests/experiments/test_page.py::test_files_that_quote_results_are_up_to_date"
_CLONE = Path(__file__).parents[1]
_PIP = ("-m", "pip", "--disable-pip-version-check")
_VERSIONS = "import platform, jax; print(platform.python_version(), jax.__version__)"


def measure(interpreter: str) -> dict[str, Any]:
    """The base, and what a run needs, each installed in a fresh environment."""
    base, _ = _installation(interpreter, ".")
    run, versions = _installation(interpreter, ".[run]")
    return {**versions, "base": base, "run": run}


def _installation(interpreter: str, target: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Packages, seconds and megabytes of an installation; the versions, and the platform."""
    with tempfile.TemporaryDirectory() as environment:
        python = _environment(interpreter, environment)
        before, present = _megabytes(environment), _packages(python)
        seconds = _timed(python, *_PIP, "install", "-q", "--no-cache-dir", target)[0]
        size = {
            "packages": len(_packages(python) - present),
            "seconds": seconds,
            "megabytes": _megabytes(environment) - before,
        }
        return size, _versions(python)


def sdist_tests(interpreter: str) -> dict[str, Any]:
    """Builds the sdist, and runs its tests where it was unpacked, in a fresh environment."""
    with tempfile.TemporaryDirectory() as environment, tempfile.TemporaryDirectory() as folder:
        python = _environment(interpreter, environment)
        _timed(python, *_PIP, "install", "-q", f"{_CLONE}[test]")
        _timed(python, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
        (path,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(path) as sdist:
            sdist.extractall(folder, filter="data")
        unpacked = Path(folder) / path.name.removesuffix(".tar.gz")
        command = (python, "-m", "pytest", "--deselect", _DESELECTED)
        seconds, printed = _timed(*command, cwd=unpacked)
        passed = re.search(r"(\d+) passed", printed)
        return {**_versions(python), "passed": int(passed[1]) if passed else 0, "seconds": seconds}


def main(interpreters: Annotated[list[str], tyro.conf.Positional], tests: bool = False) -> None:
    """Measures the installation with each of these interpreters.

    Args:
        interpreters: commands that start Python.
        tests: also run the sdist's tests.
    """
    result = read_result(RESULT) if RESULT.exists() else {"quick": False, "rows": [], "sdist": []}
    for interpreter in interpreters:
        result["rows"] = _with(result["rows"], measure(interpreter))
        if tests:
            result["sdist"] = _with(result["sdist"], sdist_tests(interpreter))
        write_result(RESULT, result)
        print(result["rows"], result["sdist"])


def install_tables(result: dict[str, Any]) -> str:
    """The two tables in Markdown; the second once tests were run."""
    rows = [
        f"| {row['python']} | {row['jax']} | {_cell(row['base'])} | {_cell(row['run'])} |"
        for row in result["rows"]
    ]
    sdist = [
        f"| {row['python']} | {row['jax']} | {row['passed']} | {row['seconds']:.0f} s |"
        for row in result["sdist"]
    ]
    sizes = ["| Python | jax | base | with `run` |", "| --- | --- | --- | --- |", *rows]
    tests = ["", "| Python | jax | the sdist's tests passed | time |", "| --- | --- | --- | --- |"]
    return "\n".join([*sizes, *(tests + sdist if sdist else [])])


def _cell(size: dict[str, Any]) -> str:
    megabytes, seconds = f"{size['megabytes']:,.0f} MB", f"{size['seconds']:.0f} s"
    return f"{megabytes}, {size['packages']} packages, {seconds}"


def _with(rows: list[dict[str, Any]], row: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows with one added, in the place of an older one of the same Python; in order."""
    rows = [other for other in rows if other["python"] != row["python"]] + [row]
    return sorted(rows, key=lambda row: [int(part) for part in row["python"].split(".")])


def _environment(interpreter: str, folder: str) -> str:
    """Makes a virtual environment; returns its interpreter."""
    subprocess.run([interpreter, "-m", "venv", folder], check=True)
    return str(Path(folder) / "bin" / "python")


def _megabytes(folder: str) -> float:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


def _packages(python: str) -> set[str]:
    listed = json.loads(_timed(python, *_PIP, "list", "--format=json")[1])
    return {package["name"] for package in listed}


def _versions(python: str) -> dict[str, str]:
    python_version, jax_version = _timed(python, "-c", _VERSIONS)[1].split()
    return {"python": python_version, "jax": jax_version, "platform": sys.platform}


def _timed(*command: str, cwd: Path = _CLONE) -> tuple[float, str]:
    """Runs a command, in the clone by default; returns its seconds and its output.

    Raises:
        UserError: the command failed.
    """
    began = time.perf_counter()
    result = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if result.returncode:
        last = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
        raise UserError(f"{' '.join(command)} failed:\n{last}")
    return time.perf_counter() - began, result.stdout


if __name__ == "__main__":
    run_command(main)
