"""``ffnn-jax predict``."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ffnn_jax.cli._files import model_file, require_apart, require_writable
from ffnn_jax.cli._options import FILE, Devices, ModelIndex, RunFolder, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Predict:
    """Classify images with the model of a run.

    Images may be in colour or grey, of up to 50 million pixels, and lie in folders. Prints how each
    was adapted. For a model of the ten digits, each digit is found and treated as MNIST's were:
    inverted if dark on light, scaled to 20 pixels, centred by its centre of mass. A file that
    cannot be read is reported, the others are still classified, and the exit code is 1.

    Example: ffnn-jax predict runs/mnist-1 three.png photos/ --top 5 --json -
    """

    run: RunFolder

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], shown("IMAGE...", "(required)")]
    """Image files, or folders of them."""

    top: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """Classes to print per image, at least 1."""

    style: Literal["auto", "digits", "plain"] = "auto"
    """Treat images as MNIST's digits were, or only scale them; auto decides by the classes."""

    json: Annotated[str | None, FILE] = None
    """Write {file, label, top, error, box, warning} to FILE; - for standard output. The box of
    one of several digits is left, top, right, bottom."""

    csv: Annotated[str | None, FILE] = None
    """Write one row per image, or digit, to FILE, as CSV: error, box, warning, labels with
    probabilities; - for standard output."""

    picture: Annotated[Path | None, FILE] = None
    """Draw the images as the network sees them, with their labels."""

    model: ModelIndex = None

    devices: Devices = 1

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        if not self.images:
            example = "ffnn-jax predict runs/mnist-1 a.png"
            raise UserError(f"predict needs at least one IMAGE, as in {example}")
        if self.top < 1:
            raise UserError(f"top must be at least 1, got {self.top}")
        file = model_file(self.run)
        require_apart(json=self.json, csv=self.csv, picture=self.picture)
        require_writable(self.json, self.csv, self.picture)

        from ffnn_jax.cli._predict_run import predict_and_print

        return predict_and_print(
            file, self.images, self.model, self.devices, self.top, self.style,
            json=self.json, csv=self.csv, picture=self.picture,
        )  # fmt: skip
