"""``ffnn-jax export``."""

import dataclasses
from pathlib import Path
from typing import Annotated

from ffnn_jax.cli._files import model_file, require_writable
from ffnn_jax.cli._options import Flag, ModelIndex, RunFolder, shown
from ffnn_jax.config import UserError, require_onnx


@dataclasses.dataclass(frozen=True)
class Export:
    """Write a run's model as StableHLO or ONNX, which run without this package, or as a demo page.

    One program for cpu, cuda and tpu and for batches of any size: uint8 pixels in, probabilities
    out. The file is read back and compared with the model. Using it needs only jax and flatbuffers:
    jax.export.deserialize(bytearray(open(FILE, "rb").read())).call(pixels).

    Example: ffnn-jax export runs/mnist-1 --out digits.stablehlo
    """

    run: RunFolder

    out: Annotated[Path | None, shown("FILE", "(default: beside the model)")] = None
    """File to write; an existing file is replaced."""

    model: ModelIndex = None

    onnx: Flag = False
    """Write an ONNX file, which many other programs run; needs the package onnx."""

    demo: Flag = False
    """Write a page in which a browser runs the network on a drawing, forward and back."""

    def __call__(self) -> int:
        """Writes the file, and prints its size, and how much the program differs from the model."""
        file = model_file(self.run)
        require_writable(self.out)
        if self.demo and self.onnx:
            raise UserError("--onnx and --demo write two files: name one of them")
        if self.onnx:
            require_onnx("export --onnx")
        kind = ".html" if self.demo else ".onnx" if self.onnx else ".stablehlo"
        out = self.out or file.with_name(f"{'demo' if self.demo else file.stem}{kind}")
        if out.resolve() == file.resolve():
            raise UserError(f"out must not be the model itself, {out}")
        if self.demo and out.suffix != ".html":
            raise UserError(f"out must end in .html with --demo, got {str(out)!r}")
        if self.demo:
            from ffnn_jax.runs import write_demo

            print(f"{write_demo(out, file, self.model)}: {out.stat().st_size / 1024:,.0f} kB")
            return 0

        from ffnn_jax.models import PLATFORMS, load, save_exported, save_onnx

        error = (save_onnx if self.onnx else save_exported)(out, load(file, self.model))
        runs = "of opset 17" if self.onnx else f"for {', '.join(PLATFORMS)}"
        print(f"{out}: {out.stat().st_size / 1024:,.0f} kB {runs}")
        differ = f"probabilities differ from the model's by at most {error or 0:.1e}"
        print("not run, as onnxruntime is not installed" if error is None else differ)
        return 0
