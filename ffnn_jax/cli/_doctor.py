"""``ffnn-jax doctor``."""

import dataclasses
from typing import Annotated

from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, DataDir


@dataclasses.dataclass(frozen=True)
class Doctor:
    """Check this machine: versions, devices, caches, data sets, writable folders.

    Anything that would stop a run is marked, with a remedy, and the exit code is 1.

    Example: ffnn-jax doctor
    """

    json: Annotated[str | None, FILE] = None
    """Write the findings to FILE as JSON; - for standard output."""

    data_dir: DataDir = None

    def __call__(self) -> int:
        """Prints one line per finding."""
        require_writable(self.json)

        from ffnn_jax.cli._doctor_run import examine_and_print

        return examine_and_print(self.data_dir, self.json)
