"""The stored rows of `experiments.speed`: a variant's times, beside ours of the same precision."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments._stopwatch import Lap
from experiments._variants import precision_of
from experiments.peers._workload import Workload
from ffnn_jax.network import Network

LARGEST_DIFFERENCE = {"float32": 1e-4, "bf16": 2e-2}
"""The largest relative difference of losses from plain JAX's in float32, by precision."""


def row_of(
    workload: Workload, variant: str, laps: Mapping[str, list[Lap]], costs: dict[str, float],
    difference: float,
) -> dict[str, Any]:  # fmt: skip
    """The stored row of a variant; ratios compare laps of the same round."""
    precision = precision_of(variant)
    ours = laps["ours" if precision == "float32" else f"ours-{precision}"]
    pairs = zip(laps[variant], ours, strict=True)
    ratios = [other.seconds / reference.seconds for other, reference in pairs]
    seconds = [lap.seconds for lap in laps[variant]]
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    return {
        "network": workload.network,
        "batch": workload.batch,
        "precision": precision,
        "variant": variant,
        "median_ms": short(1e3 * median),
        "spread": [short(1e3 * low), short(1e3 * high)],
        "ratio_to_ours": short(statistics.median(ratios)),
        "gflops": short(_flops(workload) / median / 1e9),
        "cores": short(statistics.median(lap.cores for lap in laps[variant])),
        "losses_apart": float(f"{difference:.1e}"),
        **{name: short(value) for name, value in costs.items()},
    }


def panel_of(row: Mapping[str, Any]) -> tuple[str, int, str]:
    """What rows must share to be compared: network, batch and precision."""
    return row["network"], row["batch"], row.get("precision", "float32")


def panel_title(panel: tuple[str, int, str], between: str = ", batch ") -> str:
    """A panel in words, as in "wide, batch 32, bfloat16"."""
    network, batch, precision = panel
    return f"{network}{between}{batch}{', bfloat16' if precision == 'bf16' else ''}"


def why_rejected(variant: str, difference: float) -> str | None:
    """Why losses that differ so much from the reference's are not of the same mathematics."""
    if difference <= LARGEST_DIFFERENCE[precision_of(variant)]:
        return None
    return f"its losses differ by {difference:.1e}"


def largest_difference(losses: Sequence[float], reference: Sequence[float]) -> float:
    """The largest relative difference between the losses and as many of the reference's."""
    a, b = np.array(losses), np.array(reference[: len(losses)])
    return float(np.max(np.abs(a - b) / np.abs(b)))


def short(value: float) -> float:
    """A number to four digits."""
    return float(f"{value:.4g}")


def _flops(workload: Workload) -> int:
    summary = Network(workload.layers, workload.input_shape).summary()
    return workload.batch * (summary.forward_flops + summary.backward_flops)
