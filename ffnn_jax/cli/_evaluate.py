"""``ffnn-jax evaluate``."""

import dataclasses
from typing import Annotated

import tyro

from ffnn_jax.cli._files import model_file, require_writable
from ffnn_jax.cli._options import FILE, ModelIndex, RunFolder, shown


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Test the model of a run on a split of a data set.

    Example: ffnn-jax evaluate runs/quickstart-1 --dataset mnist --split test
    """

    run: RunFolder

    dataset: Annotated[str | None, shown("NAME", "(default: the run's own)")] = None
    """A prepared data set, with the same classes and images of the same shape."""

    split: Annotated[str, tyro.conf.arg(metavar="SPLIT")] = "test"
    """In tensorflow-datasets' language: test, train[:1000], train+test."""

    json: Annotated[str | None, FILE] = None
    """Write the accuracy and the confusion matrix there; - for standard output."""

    model: ModelIndex = None

    def __call__(self) -> int:
        """Runs the command; jax is imported once the arguments are found good."""
        file = model_file(self.run)
        require_writable(self.json)

        from ffnn_jax.cli._evaluate_run import evaluate_and_print

        return evaluate_and_print(file, self.dataset, self.split, self.model, self.json)
