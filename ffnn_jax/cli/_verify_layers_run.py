"""The layers of this package, verified: a progress bar, and a column for each."""

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
_A_TABLE = 7  # operations, which fit into 80 characters


def list_faults(layer: str | None) -> int:
    """Prints the planted faults, a line each."""
    for spec in _chosen(layer):
        for fault in spec.all_faults:
            print(f"{spec.name}: {fault.name}")
    return 0


def verify_layers(layer: str | None, seed: int, thorough: bool, file: str | None) -> int:
    """Verifies the layers and prints a column for each; returns 1 if anything fails."""
    console = console_beside(file)
    found = _verified(_chosen(layer), seed, thorough, console)
    _print_table(console, found, seed)
    write_json(file, {"layers": {one.name: _as_json(one) for one in found}})
    return 0 if all(one.passed for one in found) else 1


def _verified(
    specs: Sequence[OpSpec], seed: int, thorough: bool, console: Console
) -> list[Verification]:
    """In order. Compilation keeps one core of a process busy: a process a core."""
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
    """One part of a layer's verification, in a process that has only its name."""
    (spec,) = _chosen(name)
    # Half of the time goes into compiling, and what is compiled for a fault runs a few times.
    jax.config.update("jax_disable_most_optimizations", part == "faults")
    if part == "rule":
        return check_rule(spec, seed, thorough)
    if part == "faults":
        return catch_faults(spec, seed)
    return count_false_alarms(spec, seed, _DRAWS)


def _chosen(layer: str | None) -> list[OpSpec]:
    names = [spec.name for spec in OP_SPECS]
    if layer is not None and layer not in names:
        known = ", ".join(names)
        raise UserError(f"unknown layer {layer!r} (known: {known}){suggestion(layer, names)}")
    return [spec for spec in OP_SPECS if layer in (None, spec.name)]


def _print_table(console: Console, found: Sequence[Verification], seed: int) -> None:
    for first in range(0, len(found), _A_TABLE):
        console.print(_table(found[first : first + _A_TABLE]), soft_wrap=False)
    for one in found:
        for check in one.result.checks:
            if not check.passed:
                _print_failure(console, one.name, check, seed)
        for fault, catchers in one.caught.items():
            if not catchers:
                console.print(f"{one.name}: no check catches the fault {fault!r}", markup=False)
    holds = all(one.passed for one in found)
    caught, planted = sum(one.caught_count for one in found), sum(len(one.caught) for one in found)
    verdict = "everything holds" if holds else "something FAILS"
    console.print(f"{verdict}; {caught} of {planted} planted faults caught")


def _table(found: Sequence[Verification]) -> Table:
    """A column for each operation."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True)
    table.add_column("worst error", no_wrap=True)
    for one in found:
        table.add_column(one.name.replace("_", "\n"), justify="right", no_wrap=True)
    for name in CHECKS:
        table.add_row(name, *(_cell(one.result, name) for one in found))
    table.add_section()
    table.add_row("faults caught", *(f"{one.caught_count}/{len(one.caught)}" for one in found))
    table.add_row("false alarms", *(f"{one.false_alarms}/{one.draws}" for one in found))
    return table


def _print_failure(console: Console, name: str, check: Check, seed: int) -> None:
    what = f"{name} fails {check.name}: {check.worst:.1e} at {check.where} {check.note}"
    console.print(what, markup=False, soft_wrap=True)
    console.print(f"  again: ffnn-jax verify --layer {name} --seed {seed}", markup=False)


def _cell(result: VerificationResult, name: str) -> str | Text:
    """The worst error, in units of epsilon for dtypes; a dot where the check does not apply."""
    found = [check for check in result.checks if check.name == name]
    if not found:
        return "·"
    number = f"{found[0].worst:.1e}" if found[0].worst else "0"
    return number if found[0].passed else Text(f"FAILS {number}", "bold red")


def _as_json(one: Verification) -> dict[str, Any]:
    return {
        "checks": checks_json(one.result),
        "faults": {"planted": len(one.caught), "caught": one.caught_count},
        "caught_by": {fault: list(checks) for fault, checks in one.caught.items()},
        "false_alarms": one.false_alarms,
        "draws": one.draws,
    }
