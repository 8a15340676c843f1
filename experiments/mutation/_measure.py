"""Measures which tests run a line, in their own process or in one that they start.

Both processes start coverage themselves; the name of the test is the context of what they run,
which the plugin sets in the first, and pytest's environment variable in the second.
"""

# pyright: reportMissingImports=false

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import coverage

from experiments.mutation._covering import Covering, named_tests

_SETTINGS = """[run]
parallel = true
sigterm = true
data_file = {folder}/data
include = {root}/ffnn_jax/*
context = ${{PYTEST_CURRENT_TEST-}}
disable_warnings = no-data-collected, module-not-measured, couldnt-parse, trace-changed
"""


def measured(root: Path, folders: Iterable[str]) -> Covering:
    """Runs the tests of these folders of a copy of the project, and notes what each covers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings, report = folder / "settings", folder / "report.xml"
        settings.write_text(_SETTINGS.format(folder=folder, root=root), encoding="utf-8")
        command = [
            "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-p", f"{__package__}._contexts",
            "-o", "junit_family=xunit1", f"--junitxml={report}", *folders,
        ]  # fmt: skip
        own = {"COVERAGE_PROCESS_START": str(settings), "PYTHONPATH": str(root)}
        subprocess.run(
            [sys.executable, *command], cwd=root, env=os.environ | own, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return read(root, folder, [report])


def read(root: Path, folder: Path, reports: Iterable[Path]) -> Covering:
    """Reads the data of one or several test runs from a folder."""
    seconds = {test: took for report in reports for test, took in durations(report).items()}
    lines: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for part in folder.glob("data*"):
        data = coverage.CoverageData(str(part))
        try:
            data.read()
        except coverage.CoverageException:
            continue  # a test killed the process while it wrote
        for file in data.measured_files():
            named = lines[str(Path(file).relative_to(root))]
            for line, contexts in data.contexts_by_lineno(file).items():
                named[str(line)] |= {test for one in contexts for test in named_tests(one, seconds)}
    kept = {
        file: {line: sorted(tests & set(seconds)) for line, tests in named.items()}
        for file, named in lines.items()
    }
    return Covering(kept, seconds)


def durations(report: Path) -> dict[str, float]:
    """Seconds by test, from pytest's report; only of those that passed."""
    passed = [test for test in ElementTree.parse(report).iter("testcase") if not _ended(test)]
    names = [f"{test.get('file')}::{test.get('name')}" for test in passed]
    return dict(zip(names, (float(test.get("time", 0)) for test in passed), strict=True))


def _ended(test: ElementTree.Element) -> bool:
    return any(test.find(word) is not None for word in ("failure", "error", "skipped"))
