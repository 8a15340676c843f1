"""The page of every form of a convolution that was timed: results/forms.md."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FORMS = ("usual", "im2col", "rows", "pairs", "native")


def forms_page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page, from the results of each processor."""
    sections = "\n".join(_section(name, result) for name, result in sorted(results.items()))
    return f"""# Every form of a convolution

GFLOP/s of each map of a convolution (N images of H by H, kernels K by K), by each form, inside a \
compiled loop; the fastest is bold. "usual" is what shapes suggest; "native" is XLA's own \
convolution, by Eigen. Where outputs cannot be paired, "pairs" is "im2col". `python -m \
experiments.forms` timed them; `layers/fast/tables.json` has the classes that runs take.

{sections}"""


def _section(name: str, result: Mapping[str, Any]) -> str:
    rows = result["rows"]
    sizes = [row for row in rows if row["class"] == "micro-batch"]
    steps = [row for row in rows if row["class"] == "whole step"]
    return f"""## {name}

{_table([row for row in rows if "kernel" in row])}
Milliseconds of a step of 128 images, by the largest micro-batch:

{_micro_batches(sizes)}{_whole_steps(steps) if steps else ""}"""


def _whole_steps(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| network, images | dtype | as shapes suggest | by the table | gain |"]
    lines.append("| --- | --- | ---: | ---: | ---: |")
    for usual, table in zip(rows[::2], rows[1::2], strict=True):
        named = f"{usual['network']}, {usual['images']} | {usual['dtype']}"
        gain = f"{table['ratio_to_usual']:.2f}"
        lines.append(f"| {named} | {usual['ms']:.4g} | {table['ms']:.4g} | {gain} |")
    table = "\n".join(lines)
    title = "Milliseconds of a whole step, as shapes suggest and by this processor's table:"
    return f"\n{title}\n\n{table}\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"| N, H, K, channels | dtype | map | {' | '.join(_FORMS)} |"]
    lines.append("| --- | --- | --- |" + " ---: |" * len(_FORMS))
    groups: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        n, h, k, c, m = (row[key] for key in ("images", "size", "kernel", "inputs", "outputs"))
        part = row["class"].removeprefix("narrow ").partition(" ")[0]
        key = f"{n}, {h}, {k}, {c} to {m}", row["dtype"], part
        groups.setdefault(key, {})[row["form"]] = row["gflops"]
    lines += [f"| {' | '.join(key)} | {_cells(found, max)} |" for key, found in groups.items()]
    return "\n".join(lines) + "\n"


def _micro_batches(rows: Sequence[Mapping[str, Any]]) -> str:
    sizes = sorted({int(row["form"]) for row in rows})
    lines = [f"| network | {' | '.join(map(str, sizes))} |", "| --- |" + " ---: |" * len(sizes)]
    for network in dict.fromkeys(row["network"] for row in rows):
        found = {int(r["form"]): r["ms"] for r in rows if r["network"] == network}
        lines.append(f"| {network} | {_cells({s: found[s] for s in sizes}, min)} |")
    return "\n".join(lines) + "\n"


def _cells(found: Mapping[Any, float], best_of: Any) -> str:
    best = best_of(found.values())
    cells: Iterable[str] = (f"{value:.3g}" for value in found.values())
    marked = zip(cells, found.values(), strict=True)
    return " | ".join(f"**{cell}**" if value == best else cell for cell, value in marked)
