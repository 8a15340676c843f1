"""A run from Python as the command's: with checkpoints in a folder, resumed where it stopped."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from ffnn_jax._console import plain_console
from ffnn_jax._errors import StopRequest
from ffnn_jax._signals import handling
from ffnn_jax.config import RunInterruptedError, Settings, UserError, layers_to_text
from ffnn_jax.data import Splits
from ffnn_jax.runs._checkpoints import CheckpointManager, last_checkpoint, resumed_settings
from ffnn_jax.runs._compute import Plan, adapt_to_dataset, plan, run_plan, splits_of
from ffnn_jax.runs._environment import enable_compilation_cache, require_ready
from ffnn_jax.runs._folder import locked, new_run_folder, write_config, write_run
from ffnn_jax.runs._progress import ProgressDisplay, print_run_header
from ffnn_jax.runs._result import RunResult
from ffnn_jax.training import Callbacks

_MAY_CHANGE = ("steps", "forms")


def fit(
    settings: Settings, splits: Splits | None = None, folder: str | Path | None = None,
    callbacks: Callbacks | None = None, every: int | None = None, devices: int | str = 1,
) -> RunResult:  # fmt: skip
    """Trains and tests, and leaves the folder that ``ffnn-jax train`` leaves.

    Called again with the folder of a run that was interrupted, it resumes from the last
    checkpoint, with the same bits on a CPU as if it had never stopped; with more steps, it trains
    on. Ctrl-C saves a checkpoint before it ends the run.

    Args:
        settings: settings of the run.
        splits: the images, as from ``from_arrays``; by default those named in the settings. With
            images given, the last dense layer gets one output per class, and at most a fifth of the
            training images are used for validation, as with another data set of the command.
        folder: the run's folder; by default a new, numbered one, as in runs/quickstart-2.
        callbacks: observe the run's progress; by default its facts and progress are printed.
        every: steps between checkpoints; 1,000 by default, or as before.
        devices: how many devices to use, as in ``compute``.

    Raises:
        UserError: settings and data do not match, or are not those of the run in the folder.
        RunInterruptedError: Ctrl-C ended the run, which is saved.
        DivergedError: a number became infinite or NaN; the message names seed, step and array.
    """
    require_ready()
    enable_compilation_cache()
    if folder is not None:
        _require_run_or_new(Path(folder))
    if not isinstance(splits, Splits | None):
        raise UserError("fit: splits must be Splits, as from_arrays(images, labels) returns them")
    if splits is None:
        splits = splits_of(settings)
    else:
        settings = dataclasses.replace(settings, dataset=splits.train.source)
        settings = adapt_to_dataset(settings, splits)
    planned, stop = plan(settings, splits, devices), StopRequest()
    folder = new_run_folder(settings.preset) if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        checkpoint = last_checkpoint(folder) if any(folder.glob("checkpoints/*.npz")) else None
        if checkpoint is not None:
            before = resumed_settings(folder, checkpoint, settings.steps)
            _require_same(folder, before, planned.settings)
            planned = planned._replace(settings=before)
        write_config(folder, planned.settings)
        display = ProgressDisplay(planned, console := plain_console())
        if callbacks is None:
            print_run_header(console, planned)
        with (
            _saving_on_interrupt(stop),
            display.bar if callbacks is None else contextlib.nullcontext(),
        ):
            manager = CheckpointManager(folder, every, checkpoint, stop, callbacks or display)
            result = _resumable(planned, manager)
        write_run(folder, result)
    return result


def _require_run_or_new(folder: Path) -> None:
    """Rejects a folder of other files, in which a run would mix with them."""
    if (folder / "config.json").exists() or not folder.exists():
        return
    if not folder.is_dir() or any(one.name[0] != "." for one in folder.iterdir()):
        raise UserError(f"{folder}: holds no run, but other files; name a new folder")


def _resumable(planned: Plan, manager: CheckpointManager) -> RunResult:
    try:
        return run_plan(planned, manager)
    except RunInterruptedError as end:
        raise RunInterruptedError(end.signal, f"{end}; call fit again to resume") from None


def _require_same(folder: Path, before: Settings, now: Settings) -> None:
    """Rejects settings that are not those of the run in the folder."""
    for name in vars(now).keys() - {*_MAY_CHANGE}:
        was, value = getattr(before, name), getattr(now, name)
        if was != value:
            said = map(layers_to_text, (was, value)) if name == "layers" else (was, value)
            was, value = said
            problem = f"{name} was {was} and is now {value}"
            raise UserError(f"{folder}: holds another run: {problem}; use another folder")


@contextlib.contextmanager
def _saving_on_interrupt(stop: StopRequest) -> Iterator[None]:
    """Ctrl-C asks the run to save and to end, and a second one ends it at once."""

    def ask(number: int, frame: object) -> None:
        if stop.signal is not None:
            signal.default_int_handler(number, None)
        stop.signal = number

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
    else:
        with handling(ask):
            yield
