"""``ffnn-jax predict``."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ffnn_jax.cli._files import model_file, require_apart, require_writable
from ffnn_jax.cli._options import FILE, ModelIndex, RunFolder, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Predict:
    """Say what pictures show, with the model of a run.

    Pictures may have any size and mode, and lie in a folder. It is said how each was made to fit.
    For a model of the ten digits they are treated as MNIST's were: a dark digit on light is
    inverted, cropped to its ink, scaled to 20 pixels and centred by its mass. A file that cannot
    be read is named, the others are still done, and the exit code is 1.

    Example: ffnn-jax predict runs/mnist-1 three.png photos/ --top 5 --json -
    """

    run: RunFolder

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], shown("IMAGE...", "(required)")]
    """Picture files, or folders of them."""

    top: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """Classes to print for each picture, at least 1."""

    style: Literal["auto", "digits", "plain"] = "auto"
    """Treat pictures as MNIST's digits were, or scale them alone; auto looks at the classes."""

    json: Annotated[str | None, FILE] = None
    """Write a list of {file, label, top, error} there; - for standard output."""

    csv: Annotated[str | None, FILE] = None
    """Write a line a picture there: file, error, each label with its probability; - as above."""

    picture: Annotated[Path | None, FILE] = None
    """Draw the pictures as the network sees them, with their labels."""

    model: ModelIndex = None

    def __call__(self) -> int:
        """Runs the command; jax is imported once the arguments are found good."""
        if not self.images:
            raise UserError(
                "predict needs at least one IMAGE, as in ffnn-jax predict runs/mnist-1 a.png"
            )
        if self.top < 1:
            raise UserError(f"top must be at least 1, got {self.top}")
        file = model_file(self.run)
        require_apart(json=self.json, csv=self.csv, picture=self.picture)
        for path in (self.json, self.csv, self.picture):
            require_writable(path)

        from ffnn_jax.cli._predict_run import predict_and_print

        return predict_and_print(
            file, self.images, self.model, self.top, self.style,
            json=self.json, csv=self.csv, picture=self.picture,
        )  # fmt: skip
