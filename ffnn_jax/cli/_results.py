"""Results for machines: JSON in a file or on standard output."""

import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console

from ffnn_jax.config import Refusal
from ffnn_jax.verify import Report


def console_beside(file: str | None) -> Console:
    """Standard output, or standard error where the JSON goes to standard output."""
    return Console(stderr=file == "-", highlight=False)


def checks_json(report: Report) -> dict[str, Any]:
    """A report's rows by name; an infinite error is null."""
    return {
        check.name: {
            "passed": check.passed,
            "worst": check.worst if math.isfinite(check.worst) else None,
            "where": check.where,
            "note": check.note,
        }
        for check in report.checks
    }


def write_json(file: str | None, result: Any) -> None:
    """Writes a result to the file, to standard output for "-", or nowhere."""
    if file == "-":
        print(json.dumps(result, indent=2))
    elif file is not None:
        try:
            Path(file).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise Refusal(f"json cannot be written: {error}") from None
