"""Trains a sweep's seeds, and tabulates those that are stored."""

import dataclasses
from pathlib import Path

from ffnn_jax import reporting, runs
from ffnn_jax._signals import SignalState
from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.cli._train_run import prepared_splits
from ffnn_jax.config import FailedSeedsError, NamedSettings, Settings, SweepRows
from ffnn_jax.data import full_name
from ffnn_jax.runs import sweeps


def sweep_and_print(
    state: SignalState, found: SweepRows, folder: Path, scheduler: str | None, json: str | None
) -> None:
    """A signal ends the process at any time: finished seeds are stored."""
    rows = {row: _ready(named) for row, named in found.rows.items()}
    path, console = folder / "seeds.jsonl", console_beside(json)
    state.hint = f"; finished seeds are in {path}: the same command goes on"
    failed = None
    try:
        sweeps.sweep(rows, range(found.seeds), path, scheduler=scheduler, console=console)
    except FailedSeedsError as failure:
        failed = failure
    result = sweeps.summary(sweeps.read_records(path), rows)
    reporting.print_table(console, sweeps.HEADINGS, sweeps.table_rows(result))
    write_json(json, {"rows": result})
    console.print(f"results in {folder}")
    if failed is not None:
        raise failed


def _ready(named: NamedSettings) -> Settings:
    """The settings, with their data prepared, and adapted to data that were named on purpose."""
    settings = dataclasses.replace(named.settings, dataset=full_name(named.settings.dataset))
    splits = prepared_splits(settings)
    if "dataset" in named.given:
        settings = runs.adapt_to_dataset(settings, splits, named.given)
    return settings
