"""Finds a learning rate, and prints what was tried."""

import dataclasses
import shlex
from typing import Any

from ffnn_jax import runs
from ffnn_jax._signals import SignalState
from ffnn_jax.cli._output import console_beside, show_progress, write_json
from ffnn_jax.cli._train_run import splits_of
from ffnn_jax.config import NamedSettings


def tune_and_print(state: SignalState, named: NamedSettings, options: Any) -> None:
    """A signal ends it at any time: what was tried is kept."""
    runs.require_ready()
    runs.enable_compilation_cache()
    settings, splits = named.settings, splits_of(named.settings, options.data_dir)
    if "dataset" in named.given:
        settings = runs.adapt_to_dataset(settings, splits, named.given)
    folder = runs.new_run_folder(f"tune-{settings.preset}", options.run_dir)
    state.hint = f"; what was tried is in {shlex.quote(str(folder))}"
    with runs.locked(folder), show_progress() as tell:
        tuning = runs.tune(settings, splits, folder, options.steps, tell)
    console = console_beside(options.json)
    for trial in tuning.trials:
        result = "validation loss {validation_loss:.4f}, accuracy {validation_accuracy:.4f}"
        result = "diverged: {diverged}" if "diverged" in trial else result
        console.print("learning rate {learning_rate:<8g} ".format(**trial) + result.format(**trial))
    console.print(f"suggestion    {tuning.suggestion:g}, see {folder / 'tune.png'}")
    console.print(f"next:         ffnn-jax train {shlex.quote(str(folder / 'settings.toml'))}")
    write_json(options.json, dataclasses.asdict(tuning))
