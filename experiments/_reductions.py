"""What a compiled program sums over its devices, read out of its text."""

import dataclasses
import re

import numpy as np

_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%([\w.-]+) = (.*?) ([\w-]+)\((.*)$", re.MULTILINE)
_COMPUTATION = re.compile(r"^(?:ENTRY )?%([\w.-]+) \(.*\{$", re.MULTILINE)
_SHAPE = re.compile(r"\b([a-z]+\d+|pred)\[([\d,]*)\]")
_OTHERS = ("all-gather", "all-to-all", "collective-permute", "reduce-scatter")


@dataclasses.dataclass(frozen=True)
class Reductions:
    """The all-reduces in the text of a compiled program.

    Attributes:
        count: of operations.
        bytes: of their operands, on one device.
        rounds: the longest chain, in which each waits for the one before.
        others: other operations that move data between devices.
        repeated: all-reduces in the body of a loop, which count once above.
    """

    count: int
    bytes: int
    rounds: int
    others: int
    repeated: int


def reductions(text: str) -> Reductions:
    """Reads HLO text; an operation that is started and awaited separately counts once."""
    count = total = others = 0
    depths: dict[str, int] = {}
    for name, shape, kind, rest in _INSTRUCTION.findall(text):
        is_sum = kind in ("all-reduce", "all-reduce-start")
        operands = (depths.get(operand, 0) for operand in re.findall(r"%([\w.-]+)", rest))
        depths[name] = max(operands, default=0) + is_sum
        others += kind.removesuffix("-start") in _OTHERS
        if is_sum:
            count += 1
            total += sum(_bytes(dtype, sizes) for dtype, sizes in _SHAPE.findall(shape))
    return Reductions(count, total, max(depths.values(), default=0), others, _repeated(text))


def _repeated(text: str) -> int:
    bodies = set(re.findall(r"body=%([\w.-]+)", text))
    _, *parts = _COMPUTATION.split(text)
    return sum(
        len(re.findall(r" all-reduce(?:-start)?\(", instructions))
        for name, instructions in zip(parts[::2], parts[1::2], strict=True)
        if name in bodies
    )


def _bytes(dtype: str, sizes: str) -> int:
    width = 1 if dtype == "pred" else max(1, int(re.sub(r"\D+", "", dtype)) // 8)
    return width * int(np.prod([int(size) for size in sizes.split(",") if size], dtype=np.int64))
