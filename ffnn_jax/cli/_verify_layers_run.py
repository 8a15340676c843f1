"""The layers of this package, proved: a progress bar, and a column for each."""

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
    ENTRIES,
    Entry,
    Proof,
    catch_faults,
    check_rule,
    count_false_alarms,
)
from ffnn_jax.cli._results import console_beside, write_json
from ffnn_jax.cli._verify_run import checks_json
from ffnn_jax.config import Refusal, suggestion
from ffnn_jax.verify import CHECKS, Check, Report

_PARTS = ("rule", "faults", "draws")
_DRAWS = 200


def list_faults(layer: str | None) -> int:
    """Prints the planted faults, a line each."""
    for entry in _chosen(layer):
        for fault in entry.faults:
            print(f"{entry.name}: {fault.name}")
    return 0


def verify_layers(layer: str | None, seed: int, thorough: bool, file: str | None) -> int:
    """Proves the layers and prints a column for each; returns 1 if anything fails."""
    console = console_beside(file)
    proofs = _proved(_chosen(layer), seed, thorough, console)
    _print_proofs(console, proofs, seed)
    write_json(file, {"layers": {proof.name: _proof_json(proof) for proof in proofs}})
    return 0 if all(proof.passed for proof in proofs) else 1


def _proved(entries: Sequence[Entry], seed: int, thorough: bool, console: Console) -> list[Proof]:
    """Proofs in order. Compilation keeps one core of a process busy: a process a core."""
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    spawn = multiprocessing.get_context("spawn")
    with bar, ProcessPoolExecutor(min(os.cpu_count() or 1, 3 * len(entries)), spawn) as pool:
        task = bar.add_task("checking", total=3 * len(entries))
        parts = {
            (entry.name, part): pool.submit(_part, entry.name, part, seed, thorough)
            for entry in sorted(entries, key=lambda entry: -len(entry.cases))
            for part in _PARTS
        }
        for _ in as_completed(parts.values()):
            bar.advance(task)
    return [
        Proof(
            entry.name,
            report=parts[entry.name, "rule"].result(),
            caught=parts[entry.name, "faults"].result(),
            false_alarms=parts[entry.name, "draws"].result(),
            draws=_DRAWS,
        )
        for entry in entries
    ]


def _part(name: str, part: str, seed: int, thorough: bool) -> Any:
    """One part of a layer's proof, in a process that has only its name."""
    (entry,) = _chosen(name)
    # Half of the time goes into compiling, and what is compiled for a fault runs a few times.
    jax.config.update("jax_disable_most_optimizations", part == "faults")
    if part == "rule":
        return check_rule(entry, seed, thorough)
    if part == "faults":
        return catch_faults(entry, seed)
    return count_false_alarms(entry, seed, _DRAWS)


def _chosen(layer: str | None) -> list[Entry]:
    names = [entry.name for entry in ENTRIES]
    if layer is not None and layer not in names:
        known = ", ".join(names)
        raise Refusal(f"unknown layer {layer!r} (known: {known}){suggestion(layer, names)}")
    return [entry for entry in ENTRIES if layer in (None, entry.name)]


def _print_proofs(console: Console, proofs: Sequence[Proof], seed: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True)
    table.add_column("worst error")
    for proof in proofs:
        table.add_column(proof.name.replace("_", "\n"), justify="right", no_wrap=True)
    for name in CHECKS:
        table.add_row(name, *(_cell(proof.report, name) for proof in proofs))
    table.add_section()
    table.add_row("faults caught", *(f"{p.caught_count}/{len(p.caught)}" for p in proofs))
    table.add_row("false alarms", *(f"{p.false_alarms}/{p.draws}" for p in proofs))
    console.print(table, soft_wrap=False)
    for proof in proofs:
        for check in proof.report.checks:
            if not check.passed:
                _print_failure(console, proof.name, check, seed)
        for fault, catchers in proof.caught.items():
            if not catchers:
                console.print(f"{proof.name}: no check catches the fault {fault!r}", markup=False)
    holds = all(proof.passed for proof in proofs)
    caught, planted = sum(p.caught_count for p in proofs), sum(len(p.caught) for p in proofs)
    verdict = "everything holds" if holds else "something FAILS"
    console.print(f"{verdict}; {caught} of {planted} planted faults caught")


def _print_failure(console: Console, name: str, check: Check, seed: int) -> None:
    what = f"{name} fails {check.name}: {check.worst:.1e} at {check.where} {check.note}"
    console.print(what, markup=False, soft_wrap=True)
    console.print(f"  again: ffnn-jax verify --layer {name} --seed {seed}", markup=False)


def _cell(report: Report, name: str) -> str | Text:
    """The worst error, in units of epsilon for dtypes; a dot where the check does not apply."""
    found = [check for check in report.checks if check.name == name]
    if not found:
        return "·"
    number = f"{found[0].worst:.1e}" if found[0].worst else "0"
    return number if found[0].passed else Text(f"FAILS {number}", "bold red")


def _proof_json(proof: Proof) -> dict[str, Any]:
    return {
        "checks": checks_json(proof.report),
        "faults": {"planted": len(proof.caught), "caught": proof.caught_count},
        "caught_by": {fault: list(checks) for fault, checks in proof.caught.items()},
        "false_alarms": proof.false_alarms,
        "draws": proof.draws,
    }
