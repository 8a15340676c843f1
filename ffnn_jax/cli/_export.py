"""``ffnn-jax export``."""

import dataclasses
from pathlib import Path
from typing import Annotated

from ffnn_jax.cli._files import model_file, require_writable
from ffnn_jax.cli._options import ModelIndex, RunFolder, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Export:
    """Write a run's model as StableHLO, which runs without this package.

    One program for cpu, cuda and tpu and for batches of any size: uint8 pixels in, probabilities
    out. The file is read back and compared with the model. Using it needs only jax and flatbuffers:
    jax.export.deserialize(bytearray(open(FILE, "rb").read())).call(pixels).

    Example: ffnn-jax export runs/mnist-1 --out digits.stablehlo
    """

    run: RunFolder

    out: Annotated[Path | None, shown("FILE", "(default: model.stablehlo beside it)")] = None
    """File to write; an existing file is replaced."""

    model: ModelIndex = None

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        file = model_file(self.run)
        require_writable(self.out)
        out = self.out or file.with_suffix(".stablehlo")
        if out.resolve() == file.resolve():
            raise UserError(f"out must not be the model itself, {out}")

        from ffnn_jax.cli._export_run import export_and_print

        return export_and_print(file, out, self.model)
