"""Number formatting: a mean with its spread and n, a time with its device."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments._machine import processor
from experiments._statistics import single_run_interval
from ffnn_jax.runs import spread

WHOLE_PERCENTS = 0.005


def mean_and_sd(values: Sequence[float]) -> str:
    """Mean and deviation, as in "0.9771 +- 0.0028 (mean +- sd, n = 20)"."""
    summary = spread(values)
    deviation = f" +- {summary.sd:.4f}" if summary.n > 1 else ""
    return f"{summary.mean:.4f}{deviation} (mean +- sd, n = {summary.n})"


def percent(values: Sequence[float]) -> str:
    """Mean and deviation in percent, as in "49.1 ± 1.1"."""
    summary = spread(values)
    deviation = f" ± {100 * summary.sd:.1f}" if summary.n > 1 else ""
    return f"{100 * summary.mean:.1f}{deviation}"


def report_position(values: Sequence[float], report: float, rounding: float = 0.0) -> str:
    """A phrase on where the report's run lies among ours.

    Args:
        values: our accuracies.
        report: the report's accuracy.
        rounding: the report's largest rounding error.
    """
    low, high = single_run_interval(values)
    place = "inside"
    if report + rounding < low:
        place = "below"
    elif report - rounding > high:
        place = "above"
    below = int(np.sum(np.array(values) < report))
    return f"{place} [{100 * low:.1f}, {100 * high:.1f}], {below} of {len(values)} seeds below it"


def time_on(seconds: float, device: Mapping[str, Any], cores: int = 0) -> str:
    """A time and where, as in "12 s on 1 core of AMD EPYC"; 0 cores means all."""
    return f"{seconds:.0f} s on {processor(device, cores)}"


def header_of_one_number(report: float, ours: Sequence[float], time: str) -> str:
    """Result lines of an experiment that compares its test accuracies with one of the report's.

    Args:
        report: the report's test accuracy.
        ours: our test accuracies, one per seed.
        time: the training time, formatted by ``time_on``.
    """
    return (
        f"Report: test accuracy {report}, from one run.\n"
        f"Ours: test accuracy {mean_and_sd(ours)}.\n"
        f"Training time per seed: {time}.\n"
    )


def time_of_row(row: Mapping[str, Any]) -> str:
    """The fastest seed's training time and where, as in "28 s on 1 core of AMD EPYC"."""
    where = ", ".join(dict.fromkeys(processor(device, 1) for device in row["device"]))
    return f"{row['train_seconds']:.0f} s on {where}"
