"""Which hypotheses explain the wrong results of a rule, and by which factor."""

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ffnn_jax.catalogue.diagnosis._draws import Draw, Named
from ffnn_jax.catalogue.diagnosis._hypotheses import FAMILIES, Hypothesis

NOTHING = "no known mistake matches"
_FIXED = {
    1.0: "", 0.0: "is zero: was it left out?", -1.0: "has the wrong sign",
    2.0: "is twice what it should be", 0.5: "is half of what it should be",
}  # fmt: skip
_POWERS = {
    1.0: "is {n} times what it should be, and {n} is {name}: sum or mean?",
    -1.0: "is 1/{n} of what it should be, and {n} is {name}: sum or mean?",
    0.5: "is sqrt({n}) times what it should be, and {n} is {name}",
    -0.5: "is 1/sqrt({n}) of what it should be, and {n} is {name}",
}
_MOST_TOLD = 3
Groups = dict[str, tuple[Any, set[str]]]  # by text: a rank, and the names of results


def close(a: Any, b: Any, rtol: float) -> bool:
    """Whether arrays agree to the typical size of their entries; NaN and infinities, too."""
    return a.shape == b.shape and not _differ(a, b, rtol).any()


def _differ(a: np.ndarray, b: np.ndarray, rtol: float) -> np.ndarray:
    """Where they do not."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.abs(b[np.isfinite(b)])
        size = finite.max() * np.sqrt(np.mean((finite / finite.max()) ** 2)) if finite.any() else 0
        near = np.abs(a - b) <= rtol * (np.abs(b) + size)
    return ~np.where(np.isfinite(a) & np.isfinite(b), near, (a == b) | np.isnan(a) & np.isnan(b))


def explain(
    draws: Sequence[Draw], found: Sequence[Named], deadline: float = math.inf
) -> tuple[list[str], bool]:
    """A text for each mistake that explains wrong results, and whether all of it is sure.

    Args:
        draws: of the arguments of a rule.
        found: its results.
        deadline: of ``time.monotonic``, after which no other family of hypotheses is tried.
    """
    pairs = [*zip(draws, found, strict=True)]
    left = [n for n in draws[0].right if not all(close(f[n], d.right[n], d.rtol) for d, f in pairs)]
    texts, sure = list[str](), True
    for besides, family in itertools.product((False, True), FAMILIES):
        if left and time.monotonic() < deadline:
            told, alone, left = cover(_groups(family, draws, found, left, besides), left)
            texts, sure = texts + told, sure and alone
    left = [name for name in left if name in draws[0].z] or left  # the cotangents follow from z
    texts += [_place(draws, found, name) for name in left]
    return texts, sure and not any(text.startswith(NOTHING) for text in texts)


def cover(groups: Groups, left: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """As few texts as explain the results by name, whether each is the only one, and the rest."""
    texts, sure, left = [], True, list(left)
    while found := {text: [n for n in left if n in names] for text, (_, names) in groups.items()}:
        most = max(found.values(), key=len)
        if not most:
            break
        ranks = {text: groups[text][0] for text, names in found.items() if names == most}
        told = [text for text, rank in ranks.items() if rank == min(ranks.values())]
        each = most[0] if len(most) == 1 else f"each of {', '.join(most[:-1])} and {most[-1]}"
        shown = [text.format(d=each) for text in told[:_MOST_TOLD]]
        texts.append(shown[0] if len(told) == 1 else f"one of: {', or '.join(shown)}")
        sure, left = sure and len(told) == 1, [name for name in left if name not in most]
    return texts, sure, left


@functools.lru_cache(maxsize=128)
def _told(family: Callable[[Draw], Iterator[Hypothesis]], draw: Draw) -> list[Hypothesis]:
    return list(family(draw))


def _groups(
    family: Any, draws: Sequence[Draw], found: Sequence[Named], left: Sequence[str], besides: bool
) -> Groups:
    """The texts of a family that explain results; besides, these may be wrong by a factor."""
    groups: Groups = {}
    for told in zip(*(_told(family, draw) for draw in draws), strict=False):
        alike = len({hypothesis.text for hypothesis in told}) == 1
        link = " " if told[0].any_factor else "; besides, it "
        for name in left if alike else ():
            factor = _factor(told, draws, found, name)
            if factor is not None and (besides or not factor or told[0].any_factor):
                text = f"{told[0].text}{link}{factor}" if factor else told[0].text
                groups.setdefault(text, (told[0].rank, set()))[1].add(name)
    return groups


def _factor(
    told: Sequence[Hypothesis], draws: Sequence[Draw], found: Sequence[Named], name: str
) -> str | None:
    """The words for the factor by which a hypothesis explains a result in every draw, or None."""
    ratios, part = dict[Draw, float](), [*draws[0].right].index(name)
    for hypothesis, draw, results in zip(told, draws, found, strict=True):
        changed, rest = hypothesis.changed[part], hypothesis.rest
        got = results[name] - (0.0 if rest is None else rest[part])
        ratio = None if changed is None else _ratio(got, changed, draw.rtol, draw.right[name])
        if ratio is None:
            return None
        if np.isfinite(ratio):
            ratios[draw] = ratio
    return _words([*ratios.values()], [*ratios], told[0].any_factor) if ratios else None


def _ratio(got: np.ndarray, changed: np.ndarray, rtol: float, right: np.ndarray) -> float | None:
    """The number by which an array is another one, if there is one; NaN if both are zeros."""
    if got.shape != changed.shape or not (np.isfinite(got).all() and np.isfinite(changed).all()):
        return None
    size, rounding = np.abs(changed).max(initial=0), 1e-5 * rtol * np.abs(right).max(initial=0)
    if size <= 1e3 * rounding:
        return math.nan if np.abs(got).max(initial=0) <= 1e3 * rounding else None
    scaled = changed / size
    ratio = float(np.real(np.vdot(scaled, got) / np.vdot(scaled, scaled)) / size)
    largest = np.maximum(np.abs(got).max(), np.abs(ratio * changed).max())
    return ratio if np.abs(got - ratio * changed).max() <= rtol * largest + rounding else None


def _words(ratios: list[float], draws: Sequence[Draw], any_factor: bool) -> str | None:
    def same(values: Sequence[float]) -> bool:
        near = 10 * draws[0].rtol
        return all(abs(r - v) <= near * (1 + abs(v)) for r, v in zip(ratios, values, strict=True))

    for value, words in _FIXED.items():
        if same([value] * len(ratios)) and (value or any_factor):
            return words
    for name in draws[0].scales:
        sizes = [draw.scales.get(name, 1) for draw in draws]
        for power, words in _POWERS.items() if min(sizes) > 1 else ():
            if same([size**power for size in sizes]):
                return words.format(n=sizes[0], name=name)
        if min(sizes) > 1 and same([size / (size - 1) for size in sizes]):
            return f"is divided by n - 1, not n, where n is {name}"
    constant = any_factor and same([ratios[0]] * len(ratios))
    return f"is {ratios[0]:.5g} times what it should be" if constant else None


def _place(draws: Sequence[Draw], found: Sequence[Named], name: str) -> str:
    """Where a result is wrong, if it is right elsewhere in every draw."""
    pairs = [*zip(draws, found, strict=True)]
    wrong = [_differ(each[name], draw.right[name], draw.rtol) for draw, each in pairs]
    for i, axis in itertools.product((0, -1), range(wrong[0].ndim)):
        others = [np.delete(each, i, axis) for each in wrong]
        if all(each.size and not each.any() for each in others):
            return f"{name} is right but for the {'last' if i else 'first'} of axis {axis}"
    if all(each.sum() == 1 < each.size for each in wrong):
        return f"{name} is right but for one entry"
    somewhere = not all(each.all() for each in wrong)
    for other in (*draws[0].args, *draws[0].z, *draws[0].dz) if somewhere else ():
        arrays = [(draw.args | draw.z | draw.dz)[other] for draw in draws]
        for sign, words in ((1, "above"), (-1, "below")):
            signs = [sign * array > 0 for array in arrays if array.dtype.kind == "f"]
            if len(signs) == len(wrong) and all(map(np.array_equal, signs, wrong)):
                return f"{NOTHING} {name}, which is wrong only where {other} is {words} 0"
    return f"{NOTHING} {name}"
