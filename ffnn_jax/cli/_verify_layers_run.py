"""Verifies the layers of this package, with a progress bar and one table column per layer."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import jax
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from ffnn_jax.catalogue import (
    OP_SPECS,
    OpSpec,
    Verification,
    catch_faults,
    check_rule,
    count_false_alarms,
)
from ffnn_jax.cli._results import console_beside, write_json
from ffnn_jax.cli._verify_run import checks_json
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.verify import CHECKS, Check, VerificationResult

_PARTS = ("rule", "faults", "draws")
_DRAWS = 200
_COLUMNS = 7  # layers per table, to fit into 80 characters


def list_faults(layer: str | None) -> int:
    """Prints the planted faults, one per line."""
    for spec in _select_specs(layer):
        for fault in spec.all_faults:
            print(f"{spec.name}: {fault.name}")
    return 0


def verify_layers(layer: str | None, seed: int, thorough: bool, file: str | None) -> int:
    """Verifies the layers and prints one column per layer; returns 1 if anything fails."""
    console = console_beside(file)
    verifications = _verify_specs(_select_specs(layer), seed, thorough, console)
    _print_table(console, verifications, seed)
    write_json(file, {"layers": {v.name: _as_json(v) for v in verifications}})
    return 0 if all(v.passed for v in verifications) else 1


def _verify_specs(
    specs: Sequence[OpSpec], seed: int, thorough: bool, console: Console
) -> list[Verification]:
    """The verifications, in order; one process per core, since compilation uses a single core."""
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    spawn = multiprocessing.get_context("spawn")
    with bar, ProcessPoolExecutor(min(os.cpu_count() or 1, 3 * len(specs)), spawn) as pool:
        task = bar.add_task("checking", total=3 * len(specs))
        parts = {
            (spec.name, part): pool.submit(_part, spec.name, part, seed, thorough)
            for spec in sorted(specs, key=lambda spec: -len(spec.cases))
            for part in _PARTS
        }
        for _ in as_completed(parts.values()):
            bar.advance(task)
    return [
        Verification(
            spec.name,
            result=parts[spec.name, "rule"].result(),
            caught=parts[spec.name, "faults"].result(),
            false_alarms=parts[spec.name, "draws"].result(),
            draws=_DRAWS,
        )
        for spec in specs
    ]


def _part(name: str, part: str, seed: int, thorough: bool) -> Any:
    """Runs one part of a layer's verification, in a subprocess that receives only its name."""
    (spec,) = _select_specs(name)
    # Half of the time is compilation, and the compiled code of a fault runs only a few times.
    jax.config.update("jax_disable_most_optimizations", part == "faults")
    if part == "rule":
        return check_rule(spec, seed, thorough)
    if part == "faults":
        return catch_faults(spec, seed)
    return count_false_alarms(spec, seed, _DRAWS)


def _select_specs(layer: str | None) -> list[OpSpec]:
    names = [spec.name for spec in OP_SPECS]
    if layer is not None and layer not in names:
        known = ", ".join(names)
        raise UserError(f"unknown layer {layer!r} (known: {known}){suggestion(layer, names)}")
    return [spec for spec in OP_SPECS if layer in (None, spec.name)]


def _print_table(console: Console, verifications: Sequence[Verification], seed: int) -> None:
    for first in range(0, len(verifications), _COLUMNS):
        console.print(_table(verifications[first : first + _COLUMNS]), soft_wrap=False)
    for v in verifications:
        for check in v.result.checks:
            if not check.passed:
                _print_failure(console, v.name, check, seed)
        for fault, catchers in v.caught.items():
            if not catchers:
                console.print(f"{v.name}: no check catches the fault {fault!r}", markup=False)
    passed = all(v.passed for v in verifications)
    caught = sum(v.caught_count for v in verifications)
    planted = sum(len(v.caught) for v in verifications)
    verdict = "everything passes" if passed else "something FAILS"
    console.print(f"{verdict}; {caught} of {planted} planted faults caught")


def _table(verifications: Sequence[Verification]) -> Table:
    """A table with one column per operation."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True)
    table.add_column("worst error", no_wrap=True)
    for v in verifications:
        table.add_column(v.name.replace("_", "\n"), justify="right", no_wrap=True)
    for name in CHECKS:
        table.add_row(name, *(_cell(v.result, name) for v in verifications))
    table.add_section()
    table.add_row("faults caught", *(f"{v.caught_count}/{len(v.caught)}" for v in verifications))
    table.add_row("false alarms", *(f"{v.false_alarms}/{v.draws}" for v in verifications))
    return table


def _print_failure(console: Console, name: str, check: Check, seed: int) -> None:
    message = f"{name} fails {check.name}: {check.worst:.1e} at {check.where} {check.note}"
    console.print(message, markup=False, soft_wrap=True)
    console.print(f"  again: ffnn-jax verify --layer {name} --seed {seed}", markup=False)


def _cell(result: VerificationResult, name: str) -> str | Text:
    """The worst error, in epsilons for dtypes; a dot if the check does not apply."""
    check = next((check for check in result.checks if check.name == name), None)
    if check is None:
        return "·"
    number = f"{check.worst:.1e}" if check.worst else "0"
    return number if check.passed else Text(f"FAILS {number}", "bold red")


def _as_json(v: Verification) -> dict[str, Any]:
    return {
        "checks": checks_json(v.result),
        "faults": {"planted": len(v.caught), "caught": v.caught_count},
        "caught_by": {fault: list(checks) for fault, checks in v.caught.items()},
        "false_alarms": v.false_alarms,
        "draws": v.draws,
    }
