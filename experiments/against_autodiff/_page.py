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
_MEMORY = "temporary_megabytes"
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
    """A table of the rules that had an aim: how many times as long the JAX forms take."""
    columns = _columns(result)
    heads = ["rule", "ours, ms", "JAX form, times as long", *columns]
    lines = [f"| {' | '.join(heads)} |", f"| --- | ---: | --- |{' ---: |' * len(columns)}"]
    for title, row in _of_aims(result):
        shape, first = row["shapes"].partition(";")[0], row["times"][columns[0]]["float32"]
        cells = [f"`{title}`, {shape}", f"{first['ours']['median_ms']:.1f}"]
        for name in dict.fromkeys((usual(first), fastest(first))):
            times = (row["times"][column]["float32"] for column in columns)
            ratios = [
                f"{each[name]['ratio_to_ours']:.1f}" if name in each else "" for each in times
            ]
            lines.append(f"| {' | '.join([*cells, f'`{name}`', *ratios])} |")
            cells = ["", ""]
    return "\n".join(lines) + "\n"


def fused_line(fused: Result) -> str:
    """What a whole step gains from batch normalisation and its activation as one rule."""
    gains_of: dict[str, list[str]] = {}
    for row in fused["rows"]:
        gain = f"{row['gain'][1]:.2f} on {row['cores']} core{'s' if row['cores'] > 1 else ''}"
        gains_of.setdefault(row["activation"], []).append(gain)
    said = "; ".join(f"{name}: {' and '.join(gains)}" for name, gains in gains_of.items())
    return (
        "Batch normalisation and its activation fused into one rule, by the time of a whole "
        f"training step before over after, with {said} "
        "([`fused_norm.py`](../../experiments/fused_norm.py)). What reaches 1.10 does so by what "
        "the activation keeps, not by being one rule: they stay two.\n"
    )


def outcome(ratio: float) -> str:
    """Whether ours wins, ties or loses, from the time of the other over ours."""
    if 1 - _TIE <= ratio <= 1 + _TIE:
        return "tie"
    return "win" if ratio > 1 else "loss"


def fastest(times: Times, torch: bool = False) -> str:
    """The fastest JAX form of a row, or PyTorch's faster format; "" if there is none."""
    names = [n for n in times if n != "ours" and n.startswith("torch") == torch]
    return min(names, key=lambda name: times[name]["ratio_to_ours"], default="")


def usual(times: Times) -> str:
    """The most usual JAX form of a row."""
    return next(name for name in times if name != "ours")


def _ratio(times: Times) -> float:
    """The time of the fastest JAX form over ours."""
    return times[fastest(times)]["ratio_to_ours"]


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
    """Whether an aim is reached against the usual form, in float32 on the first number of cores."""
    name, aim, largest = AIMS[title]
    times = row["times"][next(column for column in _COLUMNS if column in row["times"])]["float32"]
    form, best = usual(times), fastest(times)
    ratio = times[form]["ratio_to_ours"]
    share = times["ours"][_MEMORY] / times[form][_MEMORY]
    reached = ratio >= aim and (largest is None or share <= largest)
    wanted = f"{aim:.0f}" + (f", at most {largest:.0f} times the memory" if largest else "")
    others = f"; {_ratio(times):.1f} times as fast as `{best}`" if best != form else ""
    return (
        f"**{name}: {ratio:.1f} times as fast as `{form}`, with {share:.1f} times its temporary "
        f"memory** (aim {wanted}: {'reached' if reached else 'not reached'}){others}."
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
        form = fastest(first)
        memory = " / ".join(f"{first[name][_MEMORY]:.1f}" for name in ("ours", form))
        cells = [title, row["shapes"], form, f"{first['ours']['median_ms']:.2f}"]
        mark = "**" if title in AIMS else ""
        marked = [f"{mark}{cell}{mark}" for cell in (*cells, *ratios, memory, *torch)]
        lines.append(f"| {' | '.join(marked)} |")
    return "\n".join(lines) + "\n"


def _torch(times: Times) -> str:
    name = fastest(times, torch=True)
    return f"{times[name]['ratio_to_ours']:.2f}" if name else "–"


def _machine(result: Result) -> str:
    return result["processor"] if "1 core" in _columns(result) else result["on"]


def _columns(result: Result) -> list[str]:
    """The numbers of cores of the result."""
    times = next(iter(result["rows"].values()))["times"]
    return [column for column in _COLUMNS if column in times]


def _of_aims(result: Result) -> Iterator[tuple[str, Result]]:
    return ((title, row) for title, row in result["rows"].items() if title in AIMS)
