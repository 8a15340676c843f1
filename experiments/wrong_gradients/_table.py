"""The benchmark's table, from its stored result."""

from collections.abc import Mapping
from typing import Any

from scipy import stats

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
        found = [_found(parts[name]) if name in parts else "–" for name in cases]
        complete = all(name in parts for name in cases)
        rejected = str(sum(part["rejected"] for part in parts.values())) if complete else "–"
        lines.append(f"| {checker} | {' | '.join([*found, rejected])} |")
    return "\n".join(lines) + "\n"


def _found(part: Mapping[str, Any]) -> str:
    if "found_interval" not in part:
        return str(part["found"])
    low, high = (f"{100 * bound:.0f}" for bound in part["found_interval"])
    return f"{part['found']} ({low} to {high} %)"
