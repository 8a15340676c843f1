"""``ffnn-jax predict``, ``ffnn-jax evaluate`` and ``ffnn-jax export``."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ffnn_jax.cli._files import model_file, require_apart, require_writable
from ffnn_jax.config import Refusal

_RUN = tyro.conf.arg(metavar="RUN")
_JSON = tyro.conf.arg(metavar="FILE", help_behavior_hint="(optional)")
_MEMBER = tyro.conf.arg(metavar="K", help_behavior_hint="(default: the best by validation)")


@dataclasses.dataclass(frozen=True)
class Predict:
    """Say what pictures show, with the model of a run.

    Pictures may have any size and mode, and lie in a folder. It is said how each was made to fit.
    For a model of the ten digits they are treated as MNIST's were: a dark digit on light is
    inverted, cropped to its ink, scaled to 20 pixels and centred by its mass. A file that cannot
    be read is named, the others are still done, and the exit code is 1.

    Example: ffnn-jax predict runs/mnist-1 three.png photos/ --top 5 --json -
    """

    run: Annotated[tyro.conf.Positional[Path], _RUN]
    """Folder that train left, or its model.npz."""

    images: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="IMAGE...", help_behavior_hint="(required)"),
    ]
    """Picture files, or folders of them."""

    top: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """Classes to print for each picture, at least 1."""

    style: Literal["auto", "digits", "plain"] = "auto"
    """Treat pictures as MNIST's digits were, or scale them alone; auto looks at the classes."""

    json: Annotated[str | None, _JSON] = None
    """Write a list of {file, label, top, error} there; - for standard output."""

    csv: Annotated[str | None, _JSON] = None
    """Write a line a picture there: file, error, each label with its probability; - as above."""

    picture: Annotated[Path | None, _JSON] = None
    """Draw the pictures as the network sees them, with their labels."""

    member: Annotated[int | None, _MEMBER] = None
    """Which of the run's models, from 0 on."""

    def __call__(self) -> int:
        """Runs the command; jax is imported once the arguments are found good."""
        if not self.images:
            raise Refusal(
                "predict needs at least one IMAGE, as in ffnn-jax predict runs/mnist-1 a.png"
            )
        if self.top < 1:
            raise Refusal(f"top must be at least 1, got {self.top}")
        file = model_file(self.run)
        require_apart(json=self.json, csv=self.csv, picture=self.picture)
        for path in (self.json, self.csv, self.picture):
            require_writable(None if path is None else str(path))

        from ffnn_jax.cli._answers import predict_and_print

        return predict_and_print(file, self)


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Test the model of a run on a split of a data set.

    Example: ffnn-jax evaluate runs/quickstart-1 --dataset mnist --split test
    """

    run: Annotated[tyro.conf.Positional[Path], _RUN]
    """Folder that train left, or its model.npz."""

    dataset: Annotated[
        str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the run's own)")
    ] = None
    """A prepared data set, with the same classes and images of the same shape."""

    split: Annotated[str, tyro.conf.arg(metavar="SPLIT")] = "test"
    """In tensorflow-datasets' language: test, train[:1000], train+test."""

    json: Annotated[str | None, _JSON] = None
    """Write the accuracy and the confusion matrix there; - for standard output."""

    member: Annotated[int | None, _MEMBER] = None
    """Which of the run's models, from 0 on."""

    def __call__(self) -> int:
        """Runs the command; jax is imported once the arguments are found good."""
        file = model_file(self.run)
        require_writable(self.json)

        from ffnn_jax.cli._answers import evaluate_and_print

        return evaluate_and_print(file, self)


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the model of a run as StableHLO, which runs without this package.

    One program for cpu, cuda and tpu and for batches of any size: uint8 pixels in, probabilities
    out. It is read back and compared with the model. To use it, jax and flatbuffers are enough:
    jax.export.deserialize(bytearray(open(FILE, "rb").read())).call(pixels).

    Example: ffnn-jax export runs/mnist-1 --out digits.stablehlo
    """

    run: Annotated[tyro.conf.Positional[Path], _RUN]
    """Folder that train left, or its model.npz."""

    out: Annotated[
        Path | None,
        tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: model.stablehlo beside it)"),
    ] = None
    """The file to write; one that is there is replaced."""

    member: Annotated[int | None, _MEMBER] = None
    """Which of the run's models, from 0 on."""

    def __call__(self) -> int:
        """Runs the command; jax is imported once the arguments are found good."""
        file = model_file(self.run)
        require_writable(None if self.out is None else str(self.out))

        from ffnn_jax.cli._answers import export_and_print

        return export_and_print(file, self)
