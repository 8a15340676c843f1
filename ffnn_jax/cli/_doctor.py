"""``ffnn-jax doctor``."""

import dataclasses
from typing import Annotated

from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, DataDir


@dataclasses.dataclass(frozen=True)
class Doctor:
    """Say what there is: versions, devices, caches, data sets, folders that can be written to.

    What stands in the way of a run is marked, with its remedy, and the exit code is 1.

    Example: ffnn-jax doctor
    """

    json: Annotated[str | None, FILE] = None
    """Write what was found there; - for standard output."""

    data_dir: DataDir = None

    def __call__(self) -> int:
        """Prints a line for each finding."""
        require_writable(self.json)

        from ffnn_jax.cli._doctor_run import examine_and_print

        return examine_and_print(self.data_dir, self.json)
