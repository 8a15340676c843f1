"""``ffnn-jax tune``."""

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated

from ffnn_jax._errors import StopRequest
from ffnn_jax._signals import SignalState, exit_on_signals, run_with_signals
from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, INTEGER, DataDir, PresetName, Size, SkipDamaged, shown
from ffnn_jax.config import NamedSettings, UserError, named_settings


@dataclasses.dataclass(frozen=True)
class Tune:
    """Find a learning rate, judged by validation images alone.

    Example: ffnn-jax tune my.toml --steps 100
    """

    preset: PresetName = "quickstart"
    """Preset, settings file (.toml), or folder of a run."""

    dataset: Annotated[str | None, shown("NAME", "(default: the preset's)")] = None
    """Another data set, or the path of your own, as for train."""

    size: Size = None

    skip_damaged: SkipDamaged = False

    steps: Annotated[int, INTEGER] = 200
    """Steps of the range test, and of each of at least seven trials; at least 20."""

    seed: Annotated[int | None, INTEGER, shown(None, "(default: the preset's)")] = None
    """Seed of split, initialisation, batches and augmentation."""

    run_dir: Annotated[Path | None, shown("DIR", "(default: runs/tune-PRESET-NUMBER)")] = None
    """Folder for what was tried and settings for train, which must not exist yet."""

    data_dir: DataDir = None

    json: Annotated[str | None, FILE] = None
    """Write the suggestion and what was tried to FILE as JSON; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        if self.steps < 20:
            raise UserError(f"steps must be at least 20, got {self.steps}")
        named = named_settings(self.preset, vars(self) | {"steps": None})
        require_writable(self.json)
        with exit_on_signals():
            from ffnn_jax.runs import enable_compilation_cache, require_ready

            require_ready()
            enable_compilation_cache()
        run_with_signals(StopRequest(), _tune, named, self)
        return 0


def _tune(state: SignalState, named: NamedSettings, options: Tune) -> None:
    """A signal ends the process at any time: what was tried is kept."""
    from ffnn_jax import runs
    from ffnn_jax._console import show_progress
    from ffnn_jax.cli._output import console_beside, write_json
    from ffnn_jax.cli._train_run import prepared_splits
    from ffnn_jax.data import full_name

    settings = dataclasses.replace(named.settings, dataset=full_name(named.settings.dataset))
    splits = prepared_splits(settings, options.data_dir)
    if "dataset" in named.given:
        settings = runs.adapt_to_dataset(settings, splits, named.given)
    folder = runs.new_run_folder(f"tune-{settings.preset}", options.run_dir)
    state.hint = f"; what was tried is in {folder}"
    with show_progress() as tell:  # nothing else writes to a new folder: no lock could stay behind
        tuning = runs.tune(settings, splits, folder, options.steps, tell)
    console = console_beside(options.json)
    for trial in tuning.trials:
        facts = (
            f"{k.replace('_', ' ')} {v if k == 'diverged' else f'{v:.4g}'}"
            for k, v in trial.items()
        )
        console.print(", ".join(facts))
    console.print(f"suggestion {tuning.suggestion}: open {folder / 'tune.png'}")
    console.print(f"next:      ffnn-jax train {shlex.quote(str(folder / 'settings.toml'))}")
    write_json(options.json, dataclasses.asdict(tuning))
