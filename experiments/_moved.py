"""Whether faster rules moved the accuracies: the same seeds before and after, in pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments._quote import percent
from experiments._statistics import compare

EARLIER = (
    "These runs were made when the convolution was computed by windows alone (see Table 3): a seed "
    "run again has other bits, of the same distribution."
)


def moved(rows: Mapping[str, Mapping[str, Any]], before: Mapping[str, Sequence[float]]) -> str:
    """A line a row: its first seeds with the earlier convolution, and with the present one.

    Args:
        rows: the rows as they are now, seeds from 0 on.
        before: the test accuracies of the seeds from 0 on as they were.
    """
    now = {row: rows[row]["test_accuracy"][: len(values)] for row, values in before.items()}
    found = compare(
        {
            row: [100 * (a - b) for a, b in zip(now[row], values, strict=True)]
            for row, values in before.items()
        }
    )
    lines = "".join(
        f"| {row} | {percent(values)} | {percent(now[row])} "
        f"| {found[row].difference:+.1f} [{found[row].low:+.1f}, {found[row].high:+.1f}] "
        f"| {found[row].adjusted:.2g} |\n"
        for row, values in before.items()
    )
    count = sum(one.decided for one in found.values())
    verdict = "no row has moved" if not count else f"{count} of {len(found)} rows have moved"
    return f"""The convolution was once computed by windows of (conv.2) alone; now a CPU takes \
whole rows where that is lighter, which adds up in another order. The first \
{min(map(len, before.values()))} seeds of each row, both ways, in pairs (points, 95 % interval, p \
corrected by Holm): {verdict}.

| model | by windows, % | now, % | difference | p |
| --- | --- | --- | --- | ---: |
{lines}"""
