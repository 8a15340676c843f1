"""Verifies the layers of this package, with a progress bar and one table column per layer."""

import dataclasses
from collections.abc import Sequence

from rich.console import Console

from ffnn_jax import catalogue
from ffnn_jax._console import show_progress
from ffnn_jax._device import require_platform
from ffnn_jax.catalogue import Verification
from ffnn_jax.catalogue.on_all_cores import select_specs, verify_specs
from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.verify import CHECKS

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
    with show_progress(lines=False) as tell:
        verifications = verify_specs(specs, seed, thorough, lambda *n: tell("checking", *n))
    _print_table(console, verifications, seed)
    write_json(file, {"layers": {v.name: v.as_json() for v in verifications}})
    return 0 if all(v.passed for v in verifications) else 1


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
