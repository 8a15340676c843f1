"""``ffnn-jax compare``."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax.cli._files import require_apart, require_writable, run_folder, run_folders
from ffnn_jax.cli._options import FILE, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Compare:
    """Compare each run with the first, on a page, too; without any, list those in runs/.

    Example: ffnn-jax compare quickstart-1 quickstart-2
    """

    runs: Annotated[tyro.conf.Positional[tuple[str, ...]], shown("[RUN ...]", "(optional)")] = ()
    """Run folders, or their names in runs/: finished, stopped, or going on."""

    out: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("compare.html")
    """File of the page."""

    json: Annotated[str | None, FILE] = None
    """Write what was found to FILE as JSON; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        folders = [run_folder(word) for word in self.runs]
        if len(folders) == 1 or len({folder.resolve() for folder in folders}) < len(folders):
            raise UserError(f"compare needs two or more different runs, got {' '.join(self.runs)}")
        require_apart(out=self.out, json=self.json)
        require_writable(self.out, self.json)

        from ffnn_jax.cli._compare_run import compare_and_print, list_and_print

        if not folders:
            return list_and_print(run_folders(), self.json)
        return compare_and_print(folders, self.out, self.json)
