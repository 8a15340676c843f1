"""The page of the table, and what the guides quote of it, from the stored result."""

from collections.abc import Iterator, Mapping
from typing import Any

Result = Mapping[str, Any]
Times = Mapping[str, Mapping[str, Any]]

AIMS = {
    "max_pool, 3 × 3, stride 2": ("Overlapping max pooling", 5.0, None),
    "conv_transpose2d, 4 × 4, stride 2": ("Transposed convolution", 12.0, None),
    "conv2d, 3 × 3, depthwise": ("Depthwise convolution", 2.0, 2.0),
}
"""What was aimed at, by title: a name, the time of autodiff over ours, and our memory over its."""

_TIE = 0.05
_COLUMNS = ("1 core", "2 cores", "all")
_HEADS = {"float32": "float32", "bfloat16": "bfloat16"}


def against_autodiff_page(result: Result) -> str:
    """The page, in Markdown."""
    return f"""# Every rule against autodiff

`python -m experiments.against_autodiff` wrote this page from `against_autodiff.json`, on \
{_machine(result)}.

Forward with gradients: the value and every cotangent of a random one. "Autodiff" is the time of \
the fastest usual JAX form under XLA's autodiff over ours, by medians of laps in which all take \
turns: above 1 ours is faster. PyTorch is eager, in its faster memory format, and its time is over \
ours, too. Milliseconds and temporary memory are those of float32 on one core; each program's \
arguments and results need memory besides. The cotangent is an argument, so XLA may fuse an \
elementwise forward pass with its backward and keep nothing in between; in a network, where the \
cotangent comes later, it cannot.

{_counts(result)}

{_aims(result)}
{_table(result)}"""


def summary(result: Result) -> str:
    """How many rows win, tie and lose, and the aims."""
    return f"{_counts(result)} {_machine(result).capitalize()}.\n\n{_aims(result)}"


def gains(result: Result) -> str:
    """A table of the rules that had an aim."""
    columns = _columns(result)
    heads = ["rule", "ours, ms", *(f"autodiff, {column}" for column in columns)]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for title, row in _of_aims(result):
        ours = row["times"][columns[0]]["float32"]["ours"]["median_ms"]
        ratios = [f"{_ratio(row['times'][column]['float32']):.1f}" for column in columns]
        cells = [f"`{title}`, {_main_shape(row)}", f"{ours:.1f}", *ratios]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def fused_line(fused: Result) -> str:
    """What a whole step gains from batch normalisation and its activation as one rule."""
    gains_of: dict[str, list[str]] = {}
    for row in fused["rows"]:
        gain = f"{row['gain'][1]:.2f} on {row['cores']} core{'s' if row['cores'] > 1 else ''}"
        gains_of.setdefault(row["activation"], []).append(gain)
    said = "; ".join(f"with {name} {' and '.join(gains)}" for name, gains in gains_of.items())
    return (
        "Batch normalisation and its activation fused into one rule, by the time of a whole "
        f"training step before over after: {said} "
        "([`fused_norm.py`](../../experiments/fused_norm.py)). Below 1.10 they stay two rules.\n"
    )


def outcome(ratio: float) -> str:
    """Whether ours wins, ties or loses, from the time of the other over ours."""
    if 1 - _TIE <= ratio <= 1 + _TIE:
        return "tie"
    return "win" if ratio > 1 else "loss"


def fastest(times: Times, torch: bool = False) -> str | None:
    """The fastest JAX form of a row, or PyTorch's faster format; None if there is none."""
    names = [n for n in times if n != "ours" and n.startswith("torch") == torch]
    return min(names, key=lambda name: times[name]["ratio_to_ours"], default=None)


def _ratio(times: Times) -> float:
    """The time of the fastest JAX form over ours."""
    return times[fastest(times) or "ours"]["ratio_to_ours"]


def _counts(result: Result) -> str:
    sentences = []
    for column in _columns(result):
        for dtype in _HEADS:
            ratios = [_ratio(row["times"][column][dtype]) for row in result["rows"].values()]
            words = [outcome(ratio) for ratio in ratios]
            sentences.append(
                f"{dtype} on {column}: {words.count('win')} win, {words.count('tie')} tie, "
                f"{words.count('loss')} lose"
            )
    return (
        f"Of {len(result['rows'])} rows, those that win against autodiff, tie within "
        f"{100 * _TIE:.0f} % and lose are: {'; '.join(sentences)}."
    )


def _aims(result: Result) -> str:
    return "".join(f"- {_aim(title, row)}\n" for title, row in _of_aims(result))


def _aim(title: str, row: Result) -> str:
    """Whether an aim is reached on the first number of cores, in float32."""
    name, aim, largest = AIMS[title]
    column = next(column for column in _COLUMNS if column in row["times"])
    times = row["times"][column]["float32"]
    ratio, memory = _ratio(times), _memory(times)
    share = memory[0] / memory[1]
    reached = ratio >= aim and (largest is None or share <= largest)
    wanted = f"{aim:.0f}" + (f", at most {largest:.0f} times the memory" if largest else "")
    says = "reached" if reached else "not reached"
    return (
        f"**{name}: {ratio:.1f} times as fast as autodiff, with {share:.1f} times its temporary "
        f"memory** (aim {wanted}: {says})."
    )


def _table(result: Result) -> str:
    columns = _columns(result)
    settings = [(dtype, column) for dtype in _HEADS for column in columns]
    heads = [
        "operation", "arrays", "JAX form", "ours, ms",
        *(f"autodiff, {dtype}, {column}" for dtype, column in settings),
        "MB, ours / autodiff", *(f"PyTorch, {column}" for column in columns),
    ]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- | --- |{' ---: |' * (len(heads) - 3)}"]
    for title, row in result["rows"].items():
        first = row["times"][columns[0]]["float32"]
        ratios = [f"{_ratio(row['times'][column][dtype]):.2f}" for dtype, column in settings]
        torch = [_torch(row["times"][column]["float32"]) for column in columns]
        memory = " / ".join(f"{megabytes:.1f}" for megabytes in _memory(first))
        cells = [title, row["shapes"], fastest(first), f"{first['ours']['median_ms']:.2f}"]
        mark = "**" if title in AIMS else ""
        marked = [f"{mark}{cell}{mark}" for cell in (*cells, *ratios, memory, *torch)]
        lines.append(f"| {' | '.join(marked)} |")
    return "\n".join(lines) + "\n"


def _torch(times: Times) -> str:
    name = fastest(times, torch=True)
    return f"{times[name]['ratio_to_ours']:.2f}" if name else "–"


def _memory(times: Times) -> tuple[float, float]:
    """Temporary megabytes of ours and of the fastest JAX form."""
    ours, form = (times[name]["temporary_megabytes"] for name in ("ours", fastest(times) or "ours"))
    return ours, form


def _machine(result: Result) -> str:
    return result["processor"] if "1 core" in _columns(result) else result["on"]


def _columns(result: Result) -> list[str]:
    """The numbers of cores of the result."""
    times = next(iter(result["rows"].values()))["times"]
    return [column for column in _COLUMNS if column in times]


def _of_aims(result: Result) -> Iterator[tuple[str, Result]]:
    return ((title, row) for title, row in result["rows"].items() if title in AIMS)


def _main_shape(row: Result) -> str:
    return row["shapes"].partition(";")[0]
