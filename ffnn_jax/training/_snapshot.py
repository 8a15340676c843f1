"""All that a run needs to resume: each seed's state, its running metrics, and the history.

A batch is a pure function of (seed, step), so nothing of the data has to be kept.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from ffnn_jax.config import UserError
from ffnn_jax.network import by_path
from ffnn_jax.training._step import TrainState


class Record(NamedTuple):
    """One line of a seed's history: the state of things after ``step`` steps.

    Loss and accuracy are of the training batches, smoothed as in ``RunningMean``; the loss
    includes weight decay's term. The validation accuracy is of a few random batches; None without
    validation images.
    """

    seed: int
    step: int
    loss: float
    accuracy: float
    validation_accuracy: float | None


@dataclasses.dataclass
class RunningMean:
    """The mean of the first 20 values, from then on a moving average that keeps 0.995."""

    count: int = 0
    value: float = 0.0

    def add(self, values: Array | np.ndarray) -> None:
        """Takes the values in order."""
        for value in values.tolist():
            self.count += 1
            weight = 1 / self.count if self.count <= 20 else 1 - 0.995
            self.value += weight * (value - self.value)


@dataclasses.dataclass
class RunningMetrics:
    """Smoothed training metrics and the last validation accuracy of one seed."""

    seed: int
    loss: RunningMean = dataclasses.field(default_factory=RunningMean)
    accuracy: RunningMean = dataclasses.field(default_factory=RunningMean)
    validation_accuracy: float | None = None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A run after some steps.

    Attributes:
        step: how many.
        states: of each seed, on the host: parameters, state of the layers and the optimiser.
        running_metrics: of each seed.
        history: the records so far.
        seconds: that training took so far.
    """

    step: int
    states: Sequence[TrainState]
    running_metrics: Sequence[RunningMetrics]
    history: Sequence[Record] = ()
    seconds: float = 0.0

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Every leaf of the states by its name, as in "seed_0/params/conv_1/w"."""
        return {
            f"seed_{index}/{name}": np.asarray(leaf)
            for index, state in enumerate(self.states)
            for name, leaf in by_path(state).items()
        }

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        return {
            "step": self.step,
            "running_metrics": [dataclasses.asdict(one) for one in self.running_metrics],
            "history": [list(record) for record in self.history],
            "seconds": self.seconds,
        }


def snapshot_from(
    arrays: Mapping[str, np.ndarray], said: Mapping[str, Any], template: Sequence[Any]
) -> Snapshot:
    """The snapshot that ``to_arrays`` and ``to_json`` wrote.

    Args:
        arrays: the arrays by name.
        said: the rest.
        template: for each seed a state, or its shapes.

    Raises:
        UserError: the arrays are not those of such states; the first five that differ are named.
    """
    names = [
        {f"seed_{index}/{name}": leaf for name, leaf in by_path(state).items()}
        for index, state in enumerate(template)
    ]
    expected = {name: leaf for seed in names for name, leaf in seed.items()}
    _require_alike(arrays, expected)
    states = [
        jax.tree.unflatten(jax.tree.structure(state), [arrays[name] for name in seed])
        for state, seed in zip(template, names, strict=True)
    ]
    return Snapshot(
        said["step"],
        states,
        [_running_metrics(one) for one in said["running_metrics"]],
        [Record(*record) for record in said["history"]],
        said["seconds"],
    )


def _require_alike(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> None:
    """Rejects arrays of other names, shapes or dtypes."""
    differing = [
        f"{name} is {_kind(arrays.get(name))}, not {_kind(expected.get(name))}"
        for name in sorted({*arrays, *expected})
        if _kind(arrays.get(name)) != _kind(expected.get(name))
    ]
    if differing:
        raise UserError(f"of another run: {'; '.join(differing[:5])}")


def _kind(leaf: Any) -> str:
    return "absent" if leaf is None else f"{np.dtype(leaf.dtype)} {tuple(leaf.shape)}"


def _running_metrics(fields: Mapping[str, Any]) -> RunningMetrics:
    means = {name: RunningMean(**fields[name]) for name in ("loss", "accuracy")}
    return RunningMetrics(
        fields["seed"], **means, validation_accuracy=fields["validation_accuracy"]
    )
