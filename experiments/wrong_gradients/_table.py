"""The benchmark's table, from its stored result."""

from collections.abc import Mapping
from typing import Any

from scipy import stats

OURS = "ours, `check_vjp`"
_LEVEL = 0.95


def exact_interval(count: int, total: int) -> tuple[float, float]:
    """The Clopper-Pearson 95 % interval of a probability, from ``count`` of ``total``."""
    tail = (1 - _LEVEL) / 2
    low = float(stats.beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(1 - tail, count + 1, total - count)) if count < total else 1.0
    return low, high


def checkers_table(result: Mapping[str, Any]) -> str:
    """A Markdown table with one line per checker; a dash stands for what was not measured."""
    cases = result["cases"]
    right = sum(counts["right"] for counts in cases.values())
    heads = [f"{name}, of {counts['wrong']}" for name, counts in cases.items()]
    lines = [
        f"| checker | {' | '.join(heads)} | right rules rejected, of {right} |",
        f"| --- |{' ---: |' * (len(heads) + 1)}",
    ]
    for checker, parts in result["rows"].items():
        first = result.get("first_run", {}) if checker == OURS else {}
        found = [_found(parts[name], first.get(name)) if name in parts else "–" for name in cases]
        complete = all(name in parts for name in cases)
        rejected = str(sum(part["rejected"] for part in parts.values())) if complete else "–"
        if first:
            rejected += f"; {sum(part['rejected'] for part in first.values())} at first"
        lines.append(f"| {checker} | {' | '.join([*found, rejected])} |")
    return "\n".join(lines) + "\n"


def _found(part: Mapping[str, Any], first: Mapping[str, Any] | None = None) -> str:
    """The count, with its interval where there is one; a first run counts before later ones."""
    measured = first or part
    if "found_interval" not in measured:
        return str(part["found"])
    low, high = (f"{100 * bound:.0f}" for bound in measured["found_interval"])
    since = f"; {part['found']} since" if first else ""
    return f"{measured['found']} ({low} to {high} %){since}"
