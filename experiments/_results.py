"""Storage of results: one JSON file per experiment, one key per line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro

from ffnn_jax.config import FailedSeedsError, UserError

RESULTS = Path(__file__).parent / "results"
QUICK_RESULTS = Path("runs") / "quick"


def run_command(main: Callable[..., None]) -> None:
    """Parses the command line and runs ``main``; errors print one line.

    Exit codes are those of ``ffnn-jax``: 1 for seeds that failed, 2 for a user error, 130 for an
    interrupt.
    """
    try:
        tyro.cli(main)
    except (ConnectionError, FailedSeedsError, UserError) as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except KeyboardInterrupt:
        print("interrupted; stored results are kept", file=sys.stderr)
        sys.exit(130)


def folder_for(quick: bool) -> Path:
    """The results folder; quick results are kept apart from the real ones."""
    folder = QUICK_RESULTS if quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Writes a result atomically, each key on its own line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items()]
    part = path.with_suffix(".part")
    part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    part.replace(path)


def read_result(path: Path) -> dict[str, Any]:
    """Reads a result.

    Raises:
        UserError: the file is missing or damaged, or a quick result lies among the real ones.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: run the experiment first")
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        quick = bool(result["quick"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error!r}): run the experiment again") from None
    if quick and path.parent == RESULTS:
        raise UserError(f"{path} is from a quick run: run it in full")
    return result
