"""What README says of speed: the best variant of each library beside ours, and whole runs."""

from collections.abc import Mapping, Sequence
from typing import Any

_LIBRARIES = {
    "plain JAX": "plain", "Flax": "flax", "Equinox": "equinox", "Keras on JAX": "keras",
    "PyTorch": "torch",
}  # fmt: skip
_WHOLE = {
    "ours": "`ffnn-jax train cifar10-0`, the first time",
    "ours-again": "the same later: what was compiled is kept",
    "torch-user": "PyTorch, as its tutorial has it",
    "torch-tuned": "PyTorch, tuned",
    "flax-user": "Flax, as its tutorial has it",
    "flax-tuned": "Flax, tuned",
}


def speed_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line a network and batch: our milliseconds a step, and how many times ours others take.

    Of each library its fastest variant, steps called from Python; a library that was not there
    has a dash.
    """
    lines = [
        f"| network, batch | ours, ms | {' | '.join(_LIBRARIES)} | ours, GFLOP/s |",
        f"| --- |{' ---: |' * (len(_LIBRARIES) + 2)}",
    ]
    for network, batch in dict.fromkeys((row["network"], row["batch"]) for row in rows):
        here = [row for row in rows if (row["network"], row["batch"]) == (network, batch)]
        ours = next(row for row in here if row["variant"] == "ours")
        others = " | ".join(_fastest(here, family) for family in _LIBRARIES.values())
        name = f"{network}, {batch}"
        lines.append(f"| {name} | {ours['median_ms']:.2f} | {others} | {ours['gflops']:.0f} |")
    return "\n".join(lines) + "\n"


def whole_run_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line a variant: seconds to the test accuracy, and how many times ours, and to the end."""
    lines = [
        "| run | seconds | times ours | to its end | test accuracy |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        accuracies = ", ".join(f"{100 * one:.1f}" for one in row["accuracy"])
        lines.append(
            f"| {_WHOLE[row['variant']]} | {row['median_seconds']:.1f} "
            f"| {row['ratio_to_ours']:.1f} | {row['median_seconds_to_the_end']:.1f} "
            f"| {accuracies} % |"
        )
    return "\n".join(lines) + "\n"


def _fastest(rows: Sequence[Mapping[str, Any]], family: str) -> str:
    """The least ratio of a library's variants, the compiled scan of plain JAX left out."""
    ratios = [
        row["ratio_to_ours"]
        for row in rows
        if row["variant"].partition("-")[0] == family and row["variant"] != "plain-scan"
    ]
    return f"{min(ratios):.2f}" if ratios else "–"
