"""Lists runs, or compares them."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ffnn_jax import reporting, runs
from ffnn_jax.cli._output import console_beside, write_json, write_text
from ffnn_jax.config import UserError

_LISTED = ("run", "preset", "data set", "state", "steps", "test accuracy", "training time")


def list_and_print(folders: Sequence[Path], json_file: str | None) -> int:
    """Prints a line a run; returns 1 if one cannot be read."""
    found = []
    for folder in folders:
        try:
            found += [run.to_json() for run in runs.read_runs([folder])]
        except UserError as error:
            print(error, file=sys.stderr)
    rows = [[reporting.run_facts(run)[key] for key in _LISTED] for run in found]
    if rows:
        reporting.print_table(console_beside(json_file), _LISTED, rows)
    elif not folders:
        console_beside(json_file).print("no runs in runs/")
    write_json(json_file, {"runs": found})
    return int(len(found) < len(folders))


def compare_and_print(folders: Sequence[Path], page: Path, json_file: str | None) -> int:
    """Prints what differs and what the tests found, and writes the page."""
    runs.enable_compilation_cache()
    compared, console = runs.read_runs(folders), console_beside(json_file)
    pairs = runs.compare_runs(compared)
    result = runs.comparison_to_json(compared, pairs)
    names, *rows = reporting.facts_rows(result["runs"])
    reporting.print_table(console, names, [*rows, *reporting.settings_rows(result)])
    for pair in result["pairs"]:
        title = "{1} against {0}:".format(*pair["names"])
        console.print("", title, *reporting.findings(pair), sep="\n")
    histories = {run.name: run.history for run in compared}
    pixels = [list(pair.images.pixels) if pair.images else [] for pair in pairs]
    write_text("out", str(page), reporting.comparison_page(result, histories, pixels))
    console.print(f"\npage: {page}")
    write_json(json_file, result)
    return 0
