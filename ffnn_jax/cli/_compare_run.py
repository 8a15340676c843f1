"""Lists runs, or compares them."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ffnn_jax import runs
from ffnn_jax.cli._output import console_beside, write_json, write_text
from ffnn_jax.config import UserError
from ffnn_jax.reporting import comparison_page, findings, print_table, run_facts, settings_rows

_LISTED = ("run", "preset", "data set", "state", "steps", "test accuracy", "training time")


def list_and_print(folders: Sequence[Path], json_file: str | None) -> int:
    """Prints a line a run; returns 1 if one cannot be read."""
    found = []
    for folder in folders:
        try:
            found += [run.to_json() for run in runs.read_runs([folder])]
        except UserError as error:
            print(error, file=sys.stderr)
    rows = [[run_facts(run)[key] for key in _LISTED] for run in found]
    print_table(console_beside(json_file), _LISTED, rows or [["none in runs/", *[""] * 6]])
    write_json(json_file, {"runs": found})
    return int(len(found) < len(folders))


def compare_and_print(folders: Sequence[Path], page: Path, json_file: str | None) -> int:
    """Prints what differs and what the tests found, and writes the page."""
    runs.enable_compilation_cache()
    compared, console = runs.read_runs(folders), console_beside(json_file)
    pairs = runs.compare_runs(compared)
    result = runs.comparison_to_json(compared, pairs)
    facts = list(map(run_facts, result["runs"]))
    names, *rows = ([key, *(fact[key] for fact in facts)] for key in facts[0])
    rows += [row for row in settings_rows(result) if row[0] not in facts[0]]
    print_table(console, names, rows)
    for pair in result["pairs"]:
        console.print("", "{1} against {0}:".format(*pair["names"]), *findings(pair), sep="\n")
    histories = {run.name: run.history for run in compared}
    pixels = [list(pair.images.pixels) if pair.images else [] for pair in pairs]
    write_text("out", str(page), comparison_page(result, histories, pixels))
    console.print(f"\npage: {page}")
    write_json(json_file, result)
    return 0
