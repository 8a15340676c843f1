"""``ffnn-jax report``, ``ffnn-jax summary`` and ``ffnn-jax doctor``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax.cli._files import require_writable
from ffnn_jax.config import preset

_FILE = tyro.conf.arg(metavar="FILE", help_behavior_hint="(optional)")


@dataclasses.dataclass(frozen=True)
class Report:
    """Write a run's page, report.html, from what the run saved.

    Example: ffnn-jax report runs/quickstart-1
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Folder that train left."""

    def __call__(self) -> int:
        """Writes the page and says where it is."""
        from ffnn_jax.runs import write_page

        print(write_page(self.run))
        return 0


@dataclasses.dataclass(frozen=True)
class Summary:
    """Print a preset's network: shapes, parameters, and its work forward and backward.

    Example: ffnn-jax summary cifar10-3
    """

    preset: Annotated[
        tyro.conf.Positional[str],
        tyro.conf.arg(metavar="PRESET", help_behavior_hint="(default: quickstart)"),
    ] = "quickstart"
    """Its name, as in ffnn-jax train --help."""

    def __call__(self) -> int:
        """Prints the table; the data set need not be there."""
        settings = preset(self.preset)

        from ffnn_jax.cli._examination import print_summary

        return print_summary(settings)


@dataclasses.dataclass(frozen=True)
class Doctor:
    """Say what there is: versions, devices, caches, data sets, folders that can be written to.

    What stands in the way of a run is marked, with its remedy, and the exit code is 1.

    Example: ffnn-jax doctor
    """

    json: Annotated[str | None, _FILE] = None
    """Write what was found there; - for standard output."""

    data_dir: Annotated[
        Path | None,
        tyro.conf.arg(
            metavar="DIR", help_behavior_hint="(default: TFDS_DATA_DIR, or ~/tensorflow_datasets)"
        ),
    ] = None
    """Folder of the prepared sets."""

    def __call__(self) -> int:
        """Prints a line for each thing looked at."""
        require_writable(self.json)

        from ffnn_jax.cli._examination import examine_and_print

        return examine_and_print(self.data_dir, self.json)
