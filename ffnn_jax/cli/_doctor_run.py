"""Prints whether this machine is ready for a run."""

import dataclasses
from pathlib import Path

from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.runs import examine


def examine_and_print(folder: Path | None, json: str | None) -> int:
    """Prints every finding; returns 1 if one would stop a run."""
    console, findings = console_beside(json), list(examine(folder))
    for finding in findings:
        mark = "!!" if finding.remedy else "ok"
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        console.print(f"{mark} {finding.about:<10} {finding.found}{remedy}")
    write_json(json, [dataclasses.asdict(finding) for finding in findings])
    return int(any(finding.remedy for finding in findings))
