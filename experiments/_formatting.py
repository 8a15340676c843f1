"""Numbers as they are printed: a mean with its spread and n, a time with its device."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments._machine import processor
from experiments._statistics import of_a_single_run, spread

WHOLE_PERCENTS = 0.005


def mean_and_sd(values: Sequence[float]) -> str:
    """As in "0.9771 +- 0.0028 (mean +- sd, n = 20)"."""
    found = spread(values)
    deviation = f" +- {found.sd:.4f}" if found.n > 1 else ""
    return f"{found.mean:.4f}{deviation} (mean +- sd, n = {found.n})"


def percent(values: Sequence[float]) -> str:
    """As in "49.1 ± 1.1", in points."""
    found = spread(values)
    deviation = f" ± {100 * found.sd:.1f}" if found.n > 1 else ""
    return f"{100 * found.mean:.1f}{deviation}"


def standing(values: Sequence[float], report: float, rounding: float = 0.0) -> str:
    """Where the report's run lies among ours, in a phrase.

    Args:
        values: ours.
        report: the report's.
        rounding: by how much it may be off, having been rounded.
    """
    low, high = of_a_single_run(values)
    place = "inside"
    if report + rounding < low:
        place = "below"
    elif report - rounding > high:
        place = "above"
    below = int(np.sum(np.array(values) < report))
    return f"{place} [{100 * low:.1f}, {100 * high:.1f}], {below} of {len(values)} seeds below it"


def time_on(seconds: float, device: Mapping[str, Any], cores: int = 0) -> str:
    """As in "12 s on 1 core of AMD EPYC"; all cores if it is not said how many."""
    return f"{seconds:.0f} s on {processor(device, cores)}"


def header_of_one_number(report: float, ours: Sequence[float], time: str) -> str:
    """What an experiment says of itself that sets its test accuracies beside one of the report's.

    Args:
        report: the report's.
        ours: one a seed.
        time: as ``time_on`` says it.
    """
    return (
        f"Report: test accuracy {report}, from one run.\n"
        f"Ours: test accuracy {mean_and_sd(ours)}.\n"
        f"Time of training a seed: {time}.\n"
    )


def time_of_row(row: Mapping[str, Any]) -> str:
    """The fastest seed's time of training and where, as in "28 s on 1 core of AMD EPYC"."""
    where = ", ".join(dict.fromkeys(processor(device, 1) for device in row["device"]))
    return f"{row['train_seconds']:.0f} s on {where}"
