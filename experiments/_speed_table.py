"""README's speed tables: the best variant of each library beside ours, and whole runs."""

from collections.abc import Mapping, Sequence
from typing import Any

_LIBRARIES = {
    "plain JAX": "plain", "Flax": "flax", "Equinox": "equinox", "Keras on JAX": "keras",
    "PyTorch": "torch",
}  # fmt: skip
_WHOLE = {
    "ours": "`ffnn-jax train cifar10-0`, first run",
    "ours-again": "the same again, with the compilation cache",
    "torch-user": "PyTorch, as in its tutorial",
    "torch-tuned": "PyTorch, tuned",
    "flax-user": "Flax, as in its tutorial",
    "flax-tuned": "Flax, tuned",
}


def speed_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per network and batch: our milliseconds per step, and the others' relative to ours.

    Each library is represented by its fastest variant whose steps are called from Python; a
    library that was not installed has a dash.
    """
    lines = [
        f"| network, batch | ours, ms | {' | '.join(_LIBRARIES)} | ours, GFLOP/s |",
        f"| --- |{' ---: |' * (len(_LIBRARIES) + 2)}",
    ]
    for network, batch in dict.fromkeys((row["network"], row["batch"]) for row in rows):
        workload_rows = [row for row in rows if (row["network"], row["batch"]) == (network, batch)]
        ours = next(row for row in workload_rows if row["variant"] == "ours")
        others = " | ".join(_fastest(workload_rows, family) for family in _LIBRARIES.values())
        name = f"{network}, {batch}"
        lines.append(f"| {name} | {ours['median_ms']:.2f} | {others} | {ours['gflops']:.0f} |")
    return "\n".join(lines) + "\n"


def whole_run_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per variant: seconds to the test accuracy, also relative to ours, and to exit."""
    lines = [
        "| run | seconds | relative to ours | to exit | test accuracy |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        accuracies = ", ".join(f"{100 * accuracy:.1f}" for accuracy in row["accuracy"])
        lines.append(
            f"| {_WHOLE[row['variant']]} | {row['median_seconds']:.1f} "
            f"| {row['ratio_to_ours']:.1f} | {row['median_seconds_to_the_end']:.1f} "
            f"| {accuracies} % |"
        )
    return "\n".join(lines) + "\n"


def _fastest(rows: Sequence[Mapping[str, Any]], family: str) -> str:
    """The smallest ratio of a library's variants, excluding the compiled scan of plain JAX."""
    ratios = [
        row["ratio_to_ours"]
        for row in rows
        if row["variant"].partition("-")[0] == family and row["variant"] != "plain-scan"
    ]
    return f"{min(ratios):.2f}" if ratios else "–"
