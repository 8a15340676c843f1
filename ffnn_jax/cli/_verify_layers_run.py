"""Verifies the layers of this package, with a progress bar and one table column per layer."""

import dataclasses
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import jax
from rich.console import Console

from ffnn_jax import catalogue
from ffnn_jax._device import require_platform
from ffnn_jax._workers import start_worker
from ffnn_jax.catalogue import OP_SPECS, OpSpec, Verification
from ffnn_jax.cli._output import console_beside, show_progress, write_json
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.verify import CHECKS

Task = tuple[Any, ...]
_PARTS = ("rule", "faults", "draws")
_DRAWS = 200
_COLUMNS = 7  # layers per table, to fit into 80 characters


def list_faults(layer: str | None) -> int:
    """Prints the planted faults, one per line."""
    for spec in select_specs(layer):
        for fault in spec.all_faults:
            print(f"{spec.name}: {fault.name}")
    return 0


def verify_layers(layer: str | None, seed: int, thorough: bool, file: str | None) -> int:
    """Verifies the layers and prints one column per layer; returns 1 if anything fails."""
    require_platform()
    console, specs = console_beside(file), select_specs(layer)
    ordered = sorted(specs, key=lambda spec: -len(spec.cases))
    tasks = [(spec.name, part, seed, thorough) for spec in ordered for part in _PARTS]
    found = on_all_cores(_part, tasks, "checking")
    parts = {(name, part): result for (name, part, *_), result in found.items()}
    verifications = [
        Verification(spec.name, *(parts[spec.name, part] for part in _PARTS), draws=_DRAWS)
        for spec in specs
    ]
    _print_table(console, verifications, seed)
    write_json(file, {"layers": {v.name: v.as_json() for v in verifications}})
    return 0 if all(v.passed for v in verifications) else 1


def on_all_cores(
    function: Callable[..., Any], tasks: Sequence[Task], message: str
) -> dict[Task, Any]:
    """The result of each task, one process per core, since compilation uses a single one."""
    pool = ProcessPoolExecutor(None, multiprocessing.get_context("spawn"), start_worker)
    with show_progress(lines=False) as on_progress, pool:
        futures = {pool.submit(function, *task): task for task in tasks}
        for done, _ in enumerate(as_completed(futures)):
            on_progress(message, done, len(tasks))
        return {task: future.result() for future, task in futures.items()}


def _part(name: str, part: str, seed: int, thorough: bool) -> Any:
    """Runs one part of a layer's verification, in a subprocess that receives only its name."""
    (spec,) = select_specs(name)
    # Half of the time is compilation, and the compiled code of a fault runs only a few times.
    jax.config.update("jax_disable_most_optimizations", part == "faults")
    if part == "rule":
        return catalogue.check_rule(spec, seed, thorough)
    if part == "faults":
        return catalogue.catch_faults(spec, seed)
    return catalogue.count_false_alarms(spec, seed, _DRAWS)


def select_specs(layer: str | None) -> list[OpSpec]:
    """The entry of a layer, or all.

    Raises:
        UserError: there is no layer of that name.
    """
    names = [spec.name for spec in OP_SPECS]
    if layer is not None and layer not in names:
        known = ", ".join(names)
        raise UserError(f"unknown layer {layer!r} (known: {known}){suggestion(layer, names)}")
    return [spec for spec in OP_SPECS if layer in (None, spec.name)]


def _print_table(console: Console, verifications: Sequence[Verification], seed: int) -> None:
    for first in range(0, len(verifications), _COLUMNS):
        shown = verifications[first : first + _COLUMNS]
        console.print(catalogue.verification_table(CHECKS, shown), soft_wrap=False)
    for v in verifications:
        if not v.result.passed:
            again = f"ffnn-jax verify --layer {v.name} --seed {seed}"
            print(dataclasses.replace(v.result, again=again), file=console.file)
        for fault, catchers in v.caught.items():
            if not catchers:
                console.print(f"{v.name}: no check catches the fault {fault!r}", markup=False)
    caught = sum(v.caught_count for v in verifications)
    planted = sum(len(v.caught) for v in verifications)
    verdict = "everything passes" if all(v.passed for v in verifications) else "something FAILS"
    console.print(f"{verdict}; {caught} of {planted} planted faults caught")
