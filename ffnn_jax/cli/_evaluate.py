"""``ffnn-jax evaluate``."""

import dataclasses
from typing import Annotated

import tyro

from ffnn_jax.cli._files import model_file, require_writable
from ffnn_jax.cli._options import FILE, Devices, ModelIndex, RunFolder, SkipDamaged, shown


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Test a run's model on a split of a data set.

    Example: ffnn-jax evaluate runs/quickstart-1 --dataset mnist --split test
    """

    run: RunFolder

    dataset: Annotated[str | None, shown("NAME", "(default: the run's)")] = None
    """Data set with the same classes and image shape, or pictures of your own, by their path."""

    skip_damaged: SkipDamaged = False

    split: Annotated[str, tyro.conf.arg(metavar="SPLIT")] = "test"
    """Split in tensorflow-datasets' syntax: test, train[:1000], train+test."""

    json: Annotated[str | None, FILE] = None
    """Write the accuracy and confusion matrix to FILE as JSON; - for standard output."""

    model: ModelIndex = None

    devices: Devices = 1

    def __call__(self) -> int:
        """Runs the command; jax is imported only once the arguments are known to be valid."""
        file = model_file(self.run)
        require_writable(self.json)

        from ffnn_jax.cli._evaluate_run import Wanted, evaluate_and_print

        wanted = Wanted(self.dataset, self.split, self.skip_damaged)
        return evaluate_and_print(file, wanted, self.model, self.devices, self.json)
