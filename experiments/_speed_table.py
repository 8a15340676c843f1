"""README's speed tables: the best variant of each library beside ours, and whole runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments._speed_rows import panel_of, panel_title

_LIBRARIES = {
    "plain JAX": "plain", "Flax": "flax", "Equinox": "equinox", "Keras on JAX": "keras",
    "PyTorch": "torch",
}  # fmt: skip
_WHOLE = {
    "ours": "`ffnn-jax train {preset}`, first run",
    "ours-again": "the same again, with the compilation cache",
    "ours-bf16": "the same in bfloat16",
    "torch-user": "PyTorch, as in its tutorial",
    "torch-tuned": "PyTorch, tuned",
    "flax-user": "Flax, as in its tutorial",
    "flax-tuned": "Flax, tuned",
    "torch-rung": "PyTorch, the same recipe",
    "torch-rung-bf16": "PyTorch, the same recipe in bfloat16",
    "plain-rung": "plain JAX, the same recipe",
}


def speed_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line per network, batch and precision: our milliseconds per step, the others' by ours.

    Each library is represented by its fastest variant whose steps are called from Python; a
    library that was not timed has a dash.
    """
    lines = [
        f"| network, batch | ours, ms | {' | '.join(_LIBRARIES)} | ours, GFLOP/s |",
        f"| --- |{' ---: |' * (len(_LIBRARIES) + 2)}",
    ]
    for panel in dict.fromkeys(map(panel_of, rows)):
        compared = [row for row in rows if panel_of(row) == panel]
        ours = next(row for row in compared if row["variant"] in ("ours", "ours-bf16"))
        others = " | ".join(_fastest(compared, family) for family in _LIBRARIES.values())
        name = panel_title(panel, between=", ")
        lines.append(f"| {name} | {ours['median_ms']:.2f} | {others} | {ours['gflops']:.0f} |")
    return "\n".join(lines) + "\n"


def whole_run_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per run: seconds to the test accuracy, also relative to ours, and to exit.

    A run that was timed in several settings is represented by the fastest.
    """
    lines = [
        "| run | seconds | relative to ours | to exit | test accuracy |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name in dict.fromkeys(row["variant"].removesuffix("-eigen") for row in rows):
        timed = [row for row in rows if row["variant"].removesuffix("-eigen") == name]
        row = min(timed, key=lambda row: row["median_seconds"])
        accuracies = ", ".join(f"{100 * accuracy:.1f}" for accuracy in row["accuracy"])
        lines.append(
            f"| {_WHOLE[name].format(**row)} | {row['median_seconds']:.1f} "
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
