"""``ffnn-jax export``."""

import dataclasses
from pathlib import Path
from typing import Annotated

from ffnn_jax.cli._files import model_file, require_writable
from ffnn_jax.cli._options import ModelIndex, RunFolder, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the model of a run as StableHLO, which runs without this package.

    One program for cpu, cuda and tpu and for batches of any size: uint8 pixels in, probabilities
    out. It is read back and compared with the model. To use it, jax and flatbuffers are enough:
    jax.export.deserialize(bytearray(open(FILE, "rb").read())).call(pixels).

    Example: ffnn-jax export runs/mnist-1 --out digits.stablehlo
    """

    run: RunFolder

    out: Annotated[Path | None, shown("FILE", "(default: model.stablehlo beside it)")] = None
    """The file to write; one that is there is replaced."""

    model: ModelIndex = None

    def __call__(self) -> int:
        """Runs the command; jax is imported once the arguments are found good."""
        file = model_file(self.run)
        require_writable(self.out)
        out = self.out or file.with_suffix(".stablehlo")
        if out.resolve() == file.resolve():
            raise UserError(f"out must not be the model itself, {out}")

        from ffnn_jax.cli._export_run import export_and_print

        return export_and_print(file, out, self.model)
