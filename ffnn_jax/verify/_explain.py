"""What a failure looks like: which entries, what was got, and a pattern where there is one."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ffnn_jax.verify._result import Check, Part

_SAME = 1e-3  # relative, of ratios and transposed arrays
_SHOWN = 6


def explain(checks: Sequence[Check]) -> list[str]:
    """One line for each array that differs, from the first check in which it does."""
    lines: dict[str, str] = {}
    failed = [check for check in checks if not check.passed]
    if any(check.name == "cotangents" for check in failed):  # then its derivatives are wrong, too
        failed = [check for check in failed if check.name != "grad of grad"]
    for check in failed:
        for part in check.parts:
            lines.setdefault(part.name, f"{check.name}: {_line(part)}")
    more = [f"and {len(lines) - _SHOWN} more arrays"] if len(lines) > _SHOWN else []
    return list(lines.values())[:_SHOWN] + more


def looks_deliberate(checks: Sequence[Check]) -> bool:
    """Whether the cotangents are those of a scaled, reversed or straight-through gradient."""
    failed = {check.name: check.parts for check in checks if not check.passed}
    if "value" in failed or "cotangents" not in failed or "differences" not in failed:
        return False
    parts = failed["differences"]
    return any(not part.expected.any() or _close(part.got, -part.expected) for part in parts)


def _line(part: Part) -> str:
    index = part.worst
    got, expected = part.got[index], part.expected[index]
    texts = _text(got), _text(expected)
    if texts[0] == texts[1]:
        texts = f"{got + 0:.17g}", f"{expected + 0:.17g}"
    at = str(list(map(int, index))) if index else ""
    ratio = f", ratio {_text(got / expected)}" if expected and got and np.isfinite(got) else ""
    wrong, size = int(part.wrong.sum()), part.got.size
    count = f" ({wrong} of {size} entries differ)" if size > 1 else ""
    pattern = next((f"; {text}" for text in patterns(part)), "")
    return f"{part.name}{at} is {texts[0]}, expected {texts[1]}{ratio}{count}{pattern}"


def patterns(part: Part) -> Iterator[str]:
    """What the wrong array looks like, the most specific description first."""
    got, expected = part.got, part.expected
    finite = np.isfinite(got) & np.isfinite(expected)
    if np.isnan(got).all():
        yield "NaN everywhere"
    if not finite.any() or got.size < 2:
        return
    if not got.any() and expected.any():
        yield "zero everywhere"
    if finite.all() and _close(got, -expected):
        yield "the sign is reversed"
    if finite.all() and (ratio := _constant_ratio(got, expected)) is not None:
        yield f"the ratio is {_text(ratio)} everywhere{_meaning(ratio, got.shape)}"
    if got.ndim == 2 and got.shape[0] == got.shape[1] and _close(got, expected.T):
        yield "the matrix is transposed"
    added = got - expected if finite.all() and expected.any() else np.zeros(1)
    if added.all() and _close(added, np.full_like(added, added.flat[0])):
        yield f"a constant {_text(added.flat[0])} is added everywhere"
    for axis in range(got.ndim):
        hit = np.flatnonzero(part.wrong.any(axis=tuple({*range(got.ndim)} - {axis})))
        if len(hit) == 1 < got.shape[axis]:
            yield f"only index {hit[0]} of axis {axis} differs"
            return


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= _SAME * (np.abs(b) + 1e-30)))


def _constant_ratio(got: np.ndarray, expected: np.ndarray) -> float | None:
    nonzero = expected != 0
    if nonzero.sum() < 2 or got[~nonzero].any():
        return None
    ratios = got[nonzero] / expected[nonzero]
    ratio = np.median(ratios.real)
    constant = ratio and np.all(np.abs(ratios - ratio) <= _SAME * abs(ratio))
    return float(ratio) if constant and f"{ratio:.6g}" != "1" else None


def _meaning(ratio: float, shape: tuple[int, ...]) -> str:
    """Which size of the array the ratio is, if it is one."""
    for axis, size in enumerate(shape):
        if size > 2 and abs(ratio - size) <= _SAME * size:  # 2 may be a factor of another origin
            return f", the size of axis {axis}"
        if size > 2 and abs(ratio * size - 1) <= _SAME:
            return f", 1 over the size of axis {axis}"
    is_count = len(shape) > 1 and abs(ratio - math.prod(shape)) <= _SAME * ratio
    return ", the number of entries" if is_count else ""


def _text(value: Any) -> str:
    return f"{value + 0:.6g}"
