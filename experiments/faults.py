"""Faults that may end a run or damage its files: how often each was injected, and survived.

Command: python -m experiments.faults
Quick: python -m experiments.faults --quick, the sample of the default test run.

Runs the tests of tests/faults; each line counts trials, as in 50 runs killed at 50 moments.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments._machine import provenance
from experiments._results import folder_for, run_command, write_result

_TESTS = Path(__file__).parents[1] / "tests" / "faults"


def main(quick: bool = False) -> None:
    """Faults that may end a run or damage its files.

    Args:
        quick: run only the sample of the default test run.
    """
    result = measure(quick)
    write_result(folder_for(quick) / "faults.json", result)
    print(faults_table(result))


def measure(quick: bool) -> dict[str, Any]:
    """Runs the tests, and counts trials by fault."""
    chosen = "faults and not slow" if quick else "faults"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = ["-m", "pytest", str(_TESTS), "-m", chosen, f"--junitxml={report}"]
        subprocess.run([sys.executable, *command], cwd=_TESTS.parents[1], check=False)
        rows = count_trials(report.read_text(encoding="utf-8"))
    return {**provenance(quick), "rows": rows}


def count_trials(report: str) -> list[dict[str, Any]]:
    """Trials by fault, and how many of them held, from pytest's report."""
    tried, held = Counter[str](), Counter[str]()
    for test in ElementTree.fromstring(report).iter("testcase"):
        properties = {entry.get("name"): entry.get("value") for entry in test.iter("property")}
        fault, trials = properties["fault"] or "", int(properties.get("trials") or 1)
        tried[fault] += trials
        failed = [test.find(outcome) is not None for outcome in ("failure", "error")]
        held[fault] += 0 if any(failed) else trials
    return [{"fault": fault, "trials": tried[fault], "held": held[fault]} for fault in tried]


def faults_table(result: Mapping[str, Any]) -> str:
    """A Markdown table with one line per fault."""
    lines = ["| fault | trials | held |", "| --- | ---: | ---: |"]
    lines += [f"| {row['fault']} | {row['trials']} | {row['held']} |" for row in result["rows"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_command(main)
