"""Whether the faster rules changed the accuracies: the same seeds before and after, paired."""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from experiments._formatting import percent
from experiments._statistics import compare
from ffnn_jax.runs import LEVEL, holm


def before_after_section(
    rows: Mapping[str, Mapping[str, Any]], before: Mapping[str, Sequence[float]]
) -> str:
    """One line per row: the accuracies of its first seeds before and after, compared.

    Args:
        rows: the current rows, with seeds from 0 on.
        before: the earlier test accuracies of the seeds from 0 on; only seeds that every row has
            in both are compared.
    """
    accuracies = [*before.values(), *(rows[row]["test_accuracy"] for row in before)]
    n = min(map(len, accuracies))
    now = {row: rows[row]["test_accuracy"][:n] for row in before}
    before = {row: values[:n] for row, values in before.items()}
    found = compare(
        {
            row: [100 * (a - b) for a, b in zip(now[row], values, strict=True)]
            for row, values in before.items()
        }
    )
    ks_p_values = holm(
        {row: _kolmogorov_smirnov(now[row], values) for row, values in before.items()}
    )
    lines = "".join(
        f"| {row} | {percent(values)} | {percent(now[row])} "
        f"| {found[row].difference:+.1f} [{found[row].low:+.1f}, {found[row].high:+.1f}] "
        f"| {found[row].adjusted:.2g} | {ks_p_values[row]:.2g} |\n"
        for row, values in before.items()
    )
    count = sum(comparison.decided or ks_p_values[row] < LEVEL for row, comparison in found.items())
    verdict = "no row has changed" if not count else f"{count} of {len(found)} rows have changed"
    return f"""### Did the fast rules change the accuracies?

The first sweeps computed convolutions by im2col (conv.2), on whole batches. On a CPU they now use \
rows or pairs where that is cheaper, and split batches into micro-batches: the same sums in \
another order, so results are no longer bit-identical. The first {n} seeds of each row, before and \
after: the paired difference of the means (points, 95 % interval), and the distributions by a \
Kolmogorov-Smirnov test; p-values are Holm-corrected: {verdict}.

| model | before, % | now, % | difference | p, means | p, distributions |
| --- | --- | --- | --- | ---: | ---: |
{lines}"""


def _kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> float:
    test: Any = stats.ks_2samp(first, second)
    return float(test.pvalue)
