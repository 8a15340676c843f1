"""Whether faster rules moved the accuracies: the same seeds at first and now, in pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from experiments._formatting import percent
from experiments._statistics import LEVEL, compare, holm


def moved(rows: Mapping[str, Mapping[str, Any]], before: Mapping[str, Sequence[float]]) -> str:
    """A line a row: its first seeds as they were first added up, and as they are now.

    Args:
        rows: the rows as they are now, seeds from 0 on.
        before: the test accuracies of the seeds from 0 on as they were; as many are compared as
            both have.
    """
    lists = [*before.values(), *(rows[row]["test_accuracy"] for row in before)]
    n = min(map(len, lists))
    now = {row: rows[row]["test_accuracy"][:n] for row in before}
    before = {row: values[:n] for row, values in before.items()}
    found = compare(
        {
            row: [100 * (a - b) for a, b in zip(now[row], values, strict=True)]
            for row, values in before.items()
        }
    )
    alike = holm({row: _kolmogorov_smirnov(now[row], values) for row, values in before.items()})
    lines = "".join(
        f"| {row} | {percent(values)} | {percent(now[row])} "
        f"| {found[row].difference:+.1f} [{found[row].low:+.1f}, {found[row].high:+.1f}] "
        f"| {found[row].adjusted:.2g} | {alike[row]:.2g} |\n"
        for row, values in before.items()
    )
    count = sum(one.decided or alike[row] < LEVEL for row, one in found.items())
    verdict = "no row has moved" if not count else f"{count} of {len(found)} rows have moved"
    return f"""### Did the fast rules move the accuracies?

The first sweeps added up by windows of (conv.2) and whole batches. A CPU now takes rows or pairs \
where they are lighter, and goes through a batch in parts: the same sums in another order, so a \
seed has other bits. The first {n} seeds of each row, both ways: \
their means in pairs (points, 95 % interval), and their distributions by the test of Kolmogorov \
and Smirnov; p corrected by Holm: {verdict}.

| model | at first, % | now, % | difference | p, means | p, distributions |
| --- | --- | --- | --- | ---: | ---: |
{lines}"""


def _kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> float:
    found: Any = stats.ks_2samp(first, second)
    return float(found.pvalue)
