"""The tables of the scaling guide, from the stored facts, times and predictions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments._results import RESULTS, read_result
from experiments._scaling_inputs import INPUTS, LARGE
from experiments._scaling_model import BYTES, Work, efficiency
from experiments._scaling_remedies import REMEDIES
from experiments.scaling import COUNTS, where, works

_KINDS = ("H200, InfiniBand", "H200, Ethernet")
_MODES = {"strong": "one batch divided", "weak": "a batch on each"}
_ENOUGH = 0.5
Rows = Sequence[Mapping[str, Any]]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    ruler = ["---"] * left + ["---:"] * (len(headings) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, ruler, *rows)) + "\n"


def facts_table(networks: Rows) -> str:
    """What a step sums: bytes read out of the program, and as they should be."""
    rows = [
        [
            row["network"], f"{row['parameters']:,}", f"{row['statistics']:,}",
            f"{row['bytes']:,}", f"{row['bytes'] - _expected(row):,}", f"{row['rounds']}",
            f"{row['operations'] / 1e6:,.0f}", f"{row['update'] / 1e6:,.0f}",
        ]
        for row in networks
    ]  # fmt: skip
    headings = (
        "network", "parameters", "statistics", "bytes summed a step", "beyond 4 × numbers",
        "sums in turn", "MFLOP an image", "MFLOP an update",
    )  # fmt: skip
    return _table(headings, rows)


def _expected(row: Mapping[str, Any]) -> int:
    """4 bytes for each parameter and statistic, and for the loss and the accuracy."""
    return BYTES * (row["parameters"] + row["statistics"] + 2)


def times_table(rows: Rows) -> str:
    """Milliseconds of a step in each place; in parentheses the overhead over one device."""
    places = list(dict.fromkeys(row["place"] for row in rows))
    by_network: dict[str, list[str]] = {}
    for row in rows:
        low, high = row["spread"]
        cell = f"{row['median_ms']:.4g} ({low:.4g} to {high:.4g}; {row['overhead']:+.0%})"
        by_network.setdefault(f"{row['network']}, {row['batch']}", []).append(cell)
    return _table(("network, batch", *places), [[name, *row] for name, row in by_network.items()])


def inputs_table(start: float, utilisation: float) -> str:
    """Every input with its source, and where it was read."""
    rows = [[name, *entry] for name, entry in INPUTS.items()]
    stored = "[the stored run of an H200](../../experiments/results/{})".format(
        "accelerator-gpu-nvidia-h200.json"
    )
    ours = "measured; for all accelerators taken to be the same"
    rows.append(["a step's start", f"{1e3 * start:.2f} ms", f"`quickstart`, {stored}", ours])
    rows.append(["utilisation", f"{utilisation:.1%}", f"`{LARGE}` in bfloat16, {stored}", ours])
    return _table(("input", "value", "source", "read in"), rows, left=4)


def efficiency_table(predictions: Rows) -> str:
    """The predicted efficiency, a line for each network and accelerator."""
    found = {
        (row["network"], row["accelerator"], row["mode"], row["devices"]): row
        for row in predictions
    }
    lines = dict.fromkeys((row["network"], row["accelerator"]) for row in predictions)
    rows = [
        [*line, *(_percent(found[*line, mode, n]) for mode in _MODES for n in COUNTS)]
        for line in lines
    ]
    columns = [f"{words}, {n}" for words in _MODES.values() for n in COUNTS]
    return _table(("network", "accelerator", *columns), rows, left=2)


def _percent(row: Mapping[str, Any]) -> str:
    if row["predicted_ms"] is None:
        return "–"
    return f"{row['efficiency']:.1%} ({row['predicted_ms']:.2f} ms)"


def breaks_lines(networks: Rows) -> str:
    """Up to how many accelerators the efficiency of one divided batch is at least a half."""
    lines = []
    for name, work in works(networks).items():
        most = {kind: _most(work, accelerator) for kind, accelerator in where(networks).items()}
        lines.append([name, *(f"{count}" for count in most.values())])
    return _table(("at least 50 %, up to", *where(networks)), lines)


def _most(work: Work, accelerator: Any) -> int:
    counts = (2**exponent for exponent in range(10))
    return max(n for n in counts if (efficiency(work, accelerator, n, "strong") or 0) >= _ENOUGH)


def remedies_table(networks: Rows) -> str:
    """The predicted efficiency of one divided batch of the largest network with each remedy."""
    work, places = works(networks)[LARGE], where(networks)
    rows = []
    for name, change in REMEDIES.items():
        cells = [
            efficiency(change(work), places[kind], n, "strong") for kind in _KINDS for n in COUNTS
        ]
        rows.append([name, *("–" if cell is None else f"{cell:.1%}" for cell in cells)])
    rows.append(["a seed on each, none shared", *["100 %"] * (len(_KINDS) * len(COUNTS))])
    return _table(("remedy", *(f"{kind}, {n}" for kind in _KINDS for n in COUNTS)), rows)


def _stored() -> dict[str, Any]:
    return read_result(RESULTS / "scaling.json")


def _times() -> str:
    paths = sorted(RESULTS.glob("scaling-*.json"))
    if not paths:
        return "\nNot timed yet.\n\n"
    return "".join(_times_on(read_result(path)) for path in paths)


def _times_on(result: Mapping[str, Any]) -> str:
    where_, first = result["device"].removeprefix("cpu-"), result["rows"][0]
    return f"""
{times_table(result["rows"])}
*Milliseconds of a step, the median of {first["rounds"]} interleaved rounds of each of \
{first["starts"]} starts (fastest to slowest; overhead over one device within the same round) on \
{result["cores"]} cores of {where_}.*

"""


SCALING_BLOCKS: dict[str, Callable[[], str]] = {
    "scaling_facts": lambda: f"\n{facts_table(_stored()['networks'])}\n",
    "scaling_times": _times,
    "scaling_inputs": lambda: (
        f"\n{inputs_table(_stored()['start_seconds'], _stored()['utilisation'])}\n"
    ),
    "scaling_efficiency": lambda: (
        f"\n{efficiency_table(_stored()['predictions'])}\n{breaks_lines(_stored()['networks'])}\n"
    ),
    "scaling_remedies": lambda: f"\n{remedies_table(_stored()['networks'])}\n",
}
