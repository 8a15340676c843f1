"""Checks as a person watches them: a progress bar, a table, and what to repeat."""

import dataclasses
import functools
import importlib
import inspect
import json
import math
import multiprocessing
import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ffnn_jax.catalogue import (
    ENTRIES,
    Entry,
    Proof,
    catch_faults,
    check_rule,
    count_false_alarms,
)
from ffnn_jax.config import Refusal, suggestion
from ffnn_jax.verify import CHECKS, Argument, Check, Kink, Report, Subject, check_vjp, sample_sizes

if TYPE_CHECKING:
    from ffnn_jax.cli._verify import Verify


_PARTS = ("rule", "faults", "draws")
_DRAWS = 200


def list_faults(layer: str | None) -> int:
    """Prints the planted faults, a line each."""
    for entry in _chosen(layer):
        for fault in entry.faults:
            print(f"{entry.name}: {fault.name}")
    return 0


def check_layers(layer: str | None, seed: int, thorough: bool, file: str | None) -> int:
    """Proves the layers and prints a column for each; returns 1 if anything fails."""
    console = _console(file)
    proofs = _proved(_chosen(layer), seed, thorough, console)
    _print_proofs(console, proofs, seed)
    _write(file, {"layers": {proof.name: _proof_json(proof) for proof in proofs}})
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


def check_own(
    asked: "Verify", settings: dict[str, Any], kinks: Sequence[tuple[str, float, float]]
) -> int:
    """Checks a user's function and prints its report; returns 1 if anything fails."""
    sys.path.insert(0, str(Path.cwd()))
    op = _set(_imported(str(asked.op)), settings, required=True)
    reference = _set(_imported(str(asked.reference)), settings, required=False)
    try:
        arguments = [Argument.parse(text) for text in str(asked.shapes).split()]
        report = check_vjp(
            op,
            reference,
            *arguments,
            batch=asked.batch,
            reduces=asked.reduces,
            kinks=[
                _kink(Subject(op, reference, tuple(arguments)), *kink, asked.seed) for kink in kinks
            ],
            seed=asked.seed,
            shapes=8 if asked.thorough else 4,
        )
    except ValueError as error:
        raise Refusal(str(error)) from None
    console = _console(asked.json)
    console.print(
        str(dataclasses.replace(report, subject=str(asked.op), again=_command(asked))),
        markup=False,
        soft_wrap=True,
    )
    _write(asked.json, {"layers": {str(asked.op): {"checks": _checks_json(report)}}})
    return 0 if report.passed else 1


def _command(asked: "Verify") -> str:
    """The command line that asks the same again."""
    words = ["ffnn-jax", "verify", str(asked.op)]
    for field in dataclasses.fields(asked)[1:]:
        value, option = getattr(asked, field.name), f"--{field.name.replace('_', '-')}"
        if value != field.default:
            values = value if isinstance(value, tuple) else () if value is True else (value,)
            words += [option, *map(str, values)]
    return shlex.join(words)


def _chosen(layer: str | None) -> list[Entry]:
    names = [entry.name for entry in ENTRIES]
    if layer is not None and layer not in names:
        known = ", ".join(names)
        raise Refusal(f"unknown layer {layer!r} (known: {known}){suggestion(layer, names)}")
    return [entry for entry in ENTRIES if layer in (None, entry.name)]


def _imported(place: str) -> Any:
    module_name, colon, name = place.partition(":")
    if not colon:
        raise Refusal(f"a function is named MODULE:NAME, got {place!r}")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())
        raise Refusal(f"{place} cannot be imported: {type(error).__name__}: {words}") from None
    if not callable(getattr(module, name, None)):
        functions = [key for key, value in vars(module).items() if callable(value)]
        near = suggestion(name, functions)
        raise Refusal(f"module {module_name} has no function {name!r}{near}")
    return getattr(module, name)


def _set(function: Any, settings: dict[str, Any], required: bool) -> Any:
    """The function with the settings that it takes; one that it has to take is refused else."""
    parameters = inspect.signature(function).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = {key: value for key, value in settings.items() if takes_any or key in parameters}
    for name in settings.keys() - known.keys() if required else ():
        raise Refusal(f"static: no argument {name!r} (there are: {', '.join(parameters)})")
    return functools.partial(function, **known) if known else function


def _kink(subject: Subject, name: str, value: float, slope: float, seed: int) -> Kink:
    """An elementwise convention: where the argument is ``value``, its cotangent is slope dz."""
    if name not in subject.names:
        raise ValueError(f"kink: no argument {name!r} (there are: {', '.join(subject.names)})")
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, next(sample_sizes(subject.arguments, None, seed, 1)))
    place = subject.names.index(name)
    args[place] = np.full_like(args[place], value)
    dz = subject.draw_cotangent(generator, args)
    expected = tuple(slope * dz if i == place else None for i in subject.reals)
    return Kink(f"{name}={value:g}", tuple(args), dz, expected)


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
    console.print(table)
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


def _cell(report: Report, name: str) -> str:
    """The worst error, in units of epsilon for dtypes; a dot where the check does not apply."""
    found = [check for check in report.checks if check.name == name]
    if not found:
        return "·"
    number = f"{found[0].worst:.1e}" if found[0].worst else "0"
    return number if found[0].passed else f"[bold red]FAILS {number}[/]"


def require_writable(file: str | None) -> None:
    """Refuses a file that has no folder to stand in, before the work is done."""
    if file not in (None, "-") and not Path(str(file)).absolute().parent.is_dir():
        raise Refusal(f"json cannot be written: no folder {Path(str(file)).absolute().parent}")


def _console(file: str | None) -> Console:
    """Standard output, or standard error where the JSON goes to standard output."""
    return Console(stderr=file == "-", highlight=False)


def _proof_json(proof: Proof) -> dict[str, Any]:
    return {
        "checks": _checks_json(proof.report),
        "faults": {"planted": len(proof.caught), "caught": proof.caught_count},
        "caught_by": {fault: list(checks) for fault, checks in proof.caught.items()},
        "false_alarms": proof.false_alarms,
        "draws": proof.draws,
    }


def _checks_json(report: Report) -> dict[str, Any]:
    return {
        check.name: {
            "passed": check.passed,
            "worst": check.worst if math.isfinite(check.worst) else None,
            "where": check.where,
            "note": check.note,
        }
        for check in report.checks
    }


def _write(file: str | None, result: dict[str, Any]) -> None:
    if file == "-":
        print(json.dumps(result, indent=2))
    elif file is not None:
        try:
            Path(file).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise Refusal(f"json cannot be written: {error}") from None
