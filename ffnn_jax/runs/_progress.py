"""The progress of a run in words."""

import math

from ffnn_jax.runs._compute import Plan
from ffnn_jax.training import Callbacks, Progress

PLAIN_LINES = 30
"""The most lines of progress where there is no terminal."""


def progress_line(progress: Progress, validated: int) -> str:
    """The progress line; validation accuracy with its standard error, from ``validated`` images."""
    accuracy, validation = progress.validation_accuracy, ""
    if accuracy is not None:
        error = math.sqrt(accuracy * (1 - accuracy) / validated)
        validation = f"validation {accuracy:.3f} +- {error:.3f}  "
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return (
        f"step {progress.step:>{len(str(progress.steps))}}/{progress.steps}  "
        f"training loss {progress.loss:.4f}, accuracy {progress.accuracy:.3f}  {validation}"
        f"{progress.images_per_second:,.0f} images/s  {minutes}:{seconds:02d} left"
    )


class PrintProgress(Callbacks):
    """Prints at most 30 lines of progress."""

    def __init__(self, planned: Plan) -> None:
        """Takes the run that is to be observed."""
        self._validated = planned.settings.seeds * planned.images_per_validation
        self._every, self._printed = -(-planned.settings.steps // PLAIN_LINES), 0

    def on_progress(self, progress: Progress) -> None:
        """Prints a line at every thirtieth of the run, and at its end."""
        if progress.step // self._every > self._printed or progress.step == progress.steps:
            self._printed = progress.step // self._every
            print(progress_line(progress, self._validated), flush=True)
