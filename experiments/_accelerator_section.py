"""What ran on accelerators, as the page and README say it; "not run" where nothing is stored."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from experiments._formatting import percent
from ffnn_jax.runs import spread

Result = Mapping[str, Any]
NOT_RUN = "not run"
_NONE = "Nothing was run on a TPU or timed on a GPU; tests only lower programs for both."


def accelerator_line(found: Sequence[Result]) -> str:
    """README's line on accelerators."""
    if not found:
        return f"- {_NONE}"
    devices = ", ".join(f"{result['device']}{_reached(result['parts'])}" for result in found)
    link = "[only these were tried](experiments/README.md#accelerators)"
    return f"- Of accelerators, {link}: {devices}."


def _reached(parts: Result) -> str:
    """What the run that aims at 94 % reached, and how soon."""
    figures = _figures(parts.get("94 %"))
    if "test_accuracy" not in figures:
        return ""
    mean, n = 100 * spread(figures["test_accuracy"]).mean, figures["seeds"]
    return f" (`cifar10-94`: {mean:.2f} % in {_seconds_each(figures):.2f} s once compiled, n = {n})"


def accelerator_items(found: Sequence[Result]) -> list[str]:
    """The page's first table: one line for each device, or one that says that nothing was run."""
    command = "[`python -m experiments.accelerator`](accelerator.py)"
    states = [f"{result['device']}: {_state(result['parts'])}" for result in found]
    line = "| On an accelerator |  |  |  | {} | {} |  |\n"
    return [line.format(state, command) for state in states or [NOT_RUN]]


def accelerator_section(found: Sequence[Result]) -> str:
    """The page's section: a table of the parts and one of the steps for each device."""
    tables = "\n".join(f"### {result['device']}\n\n{_tables(result['parts'])}" for result in found)
    return f"""The tests, model 0 of Table 3, the step table, 64 seeds in one program, and the run \
that aims at 94 %, by [`python -m experiments.accelerator`](accelerator.py), which needs a device \
other than a CPU.

{tables or f"On a GPU: {NOT_RUN}. On a TPU: {NOT_RUN}."}
"""


def _tables(parts: Result) -> str:
    lines = [f"| {name} | {_outcome(name, parts)} | {_seconds(parts[name])} |" for name in parts]
    table = "\n".join(["| part | result | s |", "| --- | --- | ---: |", *lines, ""])
    notes = [
        f"{name}: {part['note']}\n"
        for name, part in parts.items()
        if not isinstance(part, str) and "note" in part
    ]
    table = "\n".join([table, *notes]) if notes else table
    rows = _figures(parts.get("steps")).get("rows", [])
    return f"{table}\n{_step_table(rows)}" if rows else table


def _step_table(rows: Sequence[Result]) -> str:
    """Milliseconds per step: a line for each network and batch, a column for each variant."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    lines = [
        f"| network, batch | {', ms | '.join(variants)}, ms |",
        f"| --- |{' ---: |' * len(variants)}",
    ]
    for network, batch in dict.fromkeys((row["network"], row["batch"]) for row in rows):
        times = {
            row["variant"]: f"{row['median_ms']:.3g}"
            for row in rows
            if (row["network"], row["batch"]) == (network, batch)
        }
        cells = " | ".join(times.get(variant, "–") for variant in variants)
        lines.append(f"| {network}, {batch} | {cells} |")
    return "\n".join(lines) + "\n"


def _outcome(name: str, parts: Result) -> str:
    """What a part has found, in a few words."""
    part, figures = parts[name], _figures(parts[name])
    if isinstance(part, str):
        return part
    if name == "tests" and figures:
        counts = [f"{count} {what}" for what, count in figures.items() if what != "failures"]
        return ", ".join(counts)
    if not _fine(part):
        return f"failed: {part['last_lines'][-1] if part['last_lines'] else 'no output'}"
    if "test_accuracy" not in figures:
        return "below"
    accuracy = f"{_percent(figures)} % of the test images, n = {figures['seeds']}"
    return f"{accuracy}, {_time(figures)}{_ratio(name, parts)}"


def _percent(figures: Result) -> str:
    """The accuracy, with six views to a hundredth of a percent, and its interval."""
    if "views" not in figures and "seconds" not in figures:
        return percent(figures["test_accuracy"])
    found = spread(figures["test_accuracy"])
    plain = figures.get("plain_test_accuracy")
    beside = f"; {percent(plain)} % without views" if plain else ""
    low, high = (f"{100 * bound:.2f}" for bound in (found.low, found.high))
    return f"{100 * found.mean:.2f} (95 % interval {low} to {high}{beside})"


def _time(figures: Result) -> str:
    if "preset" in figures and "views" not in figures:
        return f"trained in {figures['train_seconds']:.1f} s"
    return f"trained and tested in {_seconds_each(figures):.2f} s each"


def _seconds_each(figures: Result) -> float:
    if "seconds" in figures:
        return statistics.median(figures["seconds"])
    both = zip(figures["train_seconds"], figures["classify_seconds"], strict=True)
    return statistics.median(map(sum, both))


def _ratio(name: str, parts: Result) -> str:
    """How many times as long many seeds train as one does."""
    one, many = _figures(parts.get("one seed")), _figures(parts.get("many seeds"))
    if name != "many seeds" or not one:
        return ""
    return f", {many['train_seconds'] / one['train_seconds']:.1f} times as long as one seed"


def _state(parts: Result) -> str:
    fine = sum(_fine(part) for part in parts.values())
    return f"{fine} of {len(parts)} parts done"


def _fine(part: Any) -> bool:
    return not isinstance(part, str) and part["exit_code"] == 0 and "figures" in part


def _figures(part: Any) -> Result:
    return {} if part is None or isinstance(part, str) else part.get("figures", {})


def _seconds(part: Any) -> str:
    return "" if isinstance(part, str) else f"{part['seconds']:.0f}"
