"""What may be wrong with any rule: texts, each with the results of a rule that is so wrong.

``{d}`` stands for a result. The families are tried in order: the right results but for a factor;
other numbers in the place of a cotangent or an argument; the right results rearranged; a path of
the reference left out; products of what is at hand; other changes of the reference; and two paths.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ffnn_jax.catalogue.diagnosis._draws import Draw
from ffnn_jax.catalogue.diagnosis._paths import PART

_MOST_IN_PAIRS = 30


class Hypothesis(NamedTuple):
    """Results that are ``rest`` plus a factor times ``changed``; None where nothing is said.

    Of two that explain the same, the one of lower rank is told.
    """

    text: str
    changed: Sequence[Any]
    rest: Sequence[Any] | None = None
    rank: tuple[Any, ...] = ()

    @property
    def any_factor(self) -> bool:
        """Whether the factor may be any number, not only one with a name."""
        return self.text == "{d}" or self.text.startswith(PART)


def _only(array: np.ndarray, *index: Any) -> np.ndarray:
    only = np.zeros_like(array)
    only[index] = array[index]
    return only


def _along(axis: int, kept: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (kept,)


def _everywhere(array: np.ndarray, one: np.ndarray) -> np.ndarray:
    return np.broadcast_to(one, array.shape)


_RESHAPED = "{a} reshaped and transposed"
_CHANGES: dict[str, Callable[[np.ndarray], Any]] = {
    "ones": np.ones_like,
    "zeros": np.zeros_like,
    "{a} negated": np.negative,
    "half of {a}": lambda a: a / 2,
    "twice {a}": lambda a: 2 * a,
    "{a} squared": np.square,
    "the absolute value of {a}": np.abs,
    "the sign of {a}": np.sign,
    "the conjugate of {a}": lambda a: np.conj(a) if a.dtype.kind == "c" else None,
    "the sum of all of {a}": lambda a: np.full_like(a, a.sum()),
    "the first row of {a} alone": lambda a: _only(a, *[0] * (a.ndim - 1)) if a.ndim > 2 else None,
    "{a} transposed": lambda a: a.T if a.ndim == 2 and a.shape == a.shape[::-1] else None,
    _RESHAPED: lambda a: (
        a.reshape(a.shape[::-1]).T if a.ndim == 2 and a.shape != a.shape[::-1] else None
    ),
    "{a} transposed and reshaped": lambda a: (
        a.T.reshape(a.shape) if a.ndim == 2 and a.shape != a.shape[::-1] else None
    ),
    "{a} with its last axes exchanged": lambda a: (
        a.swapaxes(-1, -2).reshape(a.shape) if a.ndim > 2 else None
    ),
    "{a} with its first axes flipped": lambda a: a[::-1, ::-1] if a.ndim > 3 else None,
}
_CHANGES_ALONG: dict[str, Callable[[np.ndarray, int], Any]] = {
    "the first of axis {i} of {a} alone": lambda a, i: _only(a, *_along(i, slice(1))),
    "the last of axis {i} of {a} alone": lambda a, i: _only(a, *_along(i, slice(-1, None))),
    "the first of axis {i} of {a} everywhere": lambda a, i: _everywhere(a, a.take([0], i)),
    "{a} averaged over axis {i}": lambda a, i: _everywhere(a, a.mean(i, keepdims=True)),
    "{a} summed over axis {i}": lambda a, i: _everywhere(a, a.sum(i, keepdims=True)),
    "{a} flipped along axis {i}": np.flip,
    "{a} moved by one along axis {i}": lambda a, i: np.roll(a, 1, i),
    "{a} moved back by one along axis {i}": lambda a, i: np.roll(a, -1, i),
}
_CHANGES_OF_INTEGERS: dict[str, Callable[[np.ndarray, int], Any]] = {
    "{a} plus 1": lambda a, bound: (a + 1) % bound,
    "{a} less 1": lambda a, bound: (a - 1) % bound,
    "{a} of the previous row": lambda a, bound: np.roll(a, 1, 0),
}
_HINTS = {
    "ones": ": the cotangent that came in was not used",
    "{a} squared": ": the cotangent that came in is used twice",
    _RESHAPED: ": is it reshaped where it should be transposed?",
    "{a} plus 1": ": counted from 0 or from 1?",
    "{a} less 1": ": counted from 0 or from 1?",
}


def _changed(array: np.ndarray, bound: int | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """Changes of an array, with a text for each."""
    if bound is not None:
        yield from ((text, change(array, bound)) for text, change in _CHANGES_OF_INTEGERS.items())
    if array.dtype.kind in "fc" and array.size:
        yield from ((t, c) for t, f in _CHANGES.items() if (c := f(array)) is not None)
        for i, (text, change) in itertools.product(range(array.ndim), _CHANGES_ALONG.items()):
            yield text.replace("{i}", str(i)), change(array, i)


def _scaled(draw: Draw) -> Iterator[Hypothesis]:
    yield Hypothesis("{d}", [*draw.right.values()])


def _replaced(draw: Draw) -> Iterator[Hypothesis]:
    for name, dz in draw.dz.items():
        for axes in _subsets(dz.ndim):
            text = f"{{d}} is {name} itself: the derivative of the function was left out"
            text = f"{{d}} is only {name}, summed over {axes}" if axes else text
            fits = [dz.sum(axes) if dz.sum(axes).shape == r.shape else None for r in _right(draw)]
            yield Hypothesis(text, fits, rank=(0,))
    if len(draw.dz) > 1:
        ones = draw.pull({name: np.ones_like(dz) for name, dz in draw.dz.items()})
        text = f"{{d}} is right for ones in the place of all of dz{_HINTS['ones']}"
        yield Hypothesis(text, ones, rank=(1,))
    between = draw.paths.values([*draw.args.values()]) if draw.paths else {}
    for place, (name, old) in enumerate(
        sorted((draw.dz | draw.args).items(), key=lambda named: named[0] not in draw.bounds)
    ):
        new = [(text, changed, ()) for text, changed in _changed(old, draw.bounds.get(name))]
        new += [(n, a, ()) for n, a in (draw.dz | draw.args | draw.z).items() if n != name]
        new += [(n, a, (len(n),)) for n, a in between.items()]
        for text, changed, rank in new:
            if (changed.shape, changed.dtype) == (old.shape, old.dtype):
                words = f"{{d}} is right for {text.replace('{a}', name)} in the place of {name}"
                hinted = text == _RESHAPED or name in draw.dz or name in draw.bounds
                hint = _HINTS.get(text, "") if hinted else ""
                results = draw.pull({name: changed})
                yield Hypothesis(words + hint, results, rank=(2 + place, *rank))


def _rearranged(draw: Draw) -> Iterator[Hypothesis]:
    for name, array in draw.right.items():
        fits = [array if r is not array and r.shape == array.shape else None for r in _right(draw)]
        yield Hypothesis(f"{{d}} is the right {name}", fits)
    forms = [dict(_changed(array)) for array in _right(draw)]
    for text in dict.fromkeys(itertools.chain(*forms)):
        words = f"{{d}} is {text.replace('{a}', 'the right one')}"
        yield Hypothesis(words, [form.get(text) for form in forms])


def _products(draw: Draw) -> Iterator[Hypothesis]:
    near = {name: a for name, a in (draw.args | draw.z).items() if a.dtype.kind == "f"}
    near |= {f"(1 - {name}{'^2' * (k - 1)})": 1 - a**k for name, a in near.items() for k in (1, 2)}
    pairs = itertools.combinations_with_replacement(near.items(), 2)
    near |= {f"{a} times {b}": _times(x, y) for (a, x), (b, y) in pairs}
    near |= draw.paths.values([*draw.args.values()]) if draw.paths else {}
    for name, array in near.items():
        rank = (len(name),)
        fits = [
            array if array is not None and r.shape == array.shape else None for r in _right(draw)
        ]
        yield Hypothesis(f"{{d}} is {name}", fits, rank=rank)
        for dz_name, dz in draw.dz.items():
            sums = [_summed(_times(dz, array), r) for r in _right(draw)]
            yield Hypothesis(f"{{d}} is made of {dz_name} times {name}", sums, rank=rank)
        inverse = None if array is None else 1 / array
        for text, factor in (("too many in", array), ("left out of", inverse)):
            fits = [_times(r, factor, r.shape) for r in _right(draw)]
            yield Hypothesis(f"a factor {name} is {text} {{d}}", fits, rank=rank)


def _parts(draw: Draw) -> Iterator[Hypothesis]:
    for rank, i, name in _named_parts(draw):
        rest = _without(draw, i)
        part = [right - left for right, left in zip(_right(draw), rest, strict=True)]
        yield Hypothesis(PART + name, part, rest, rank)


def _two_parts(draw: Draw) -> Iterator[Hypothesis]:
    kept: dict[bytes, Any] = {}
    for rank, i, name in sorted(_named_parts(draw)):
        left = b"".join((array.round(9) + 0.0).tobytes() for array in _without(draw, i))
        kept.setdefault(left, (rank, i, name))
    for a, b in itertools.combinations([*kept.values()][:_MOST_IN_PAIRS], 2):
        text = f"the parts of {{d}} that depend on {a[2]} and on {b[2]} were left out"
        yield Hypothesis(text, _without(draw, a[1], b[1]), rank=(max(a[0], b[0]), len(text)))


def _named_parts(draw: Draw) -> Iterator[tuple[tuple[Any, ...], int, str]]:
    """Rank, position and name of each path that can be left out; the most telling name first."""
    for i, text in enumerate(draw.paths.texts if draw.paths else ()):
        if text.startswith(PART):
            name = text.removeprefix(PART)
            words = (name.startswith(word) for word in ("mean(", "sum(", "max("))
            yield (" in " in name, *(not word for word in words), len(name)), i, name


def _other_references(draw: Draw) -> Iterator[Hypothesis]:
    for i, text in enumerate(draw.paths.texts if draw.paths else ()):
        if not text.startswith(PART):
            yield Hypothesis(text, _without(draw, i), rank=(len(text),))


FAMILIES: tuple[Callable[[Draw], Iterator[Hypothesis]], ...] = (
    _scaled, _replaced, _rearranged, _parts, _products, _other_references, _two_parts,
)  # fmt: skip


def _right(draw: Draw) -> Sequence[np.ndarray]:
    return [*draw.right.values()]


def _without(draw: Draw, *paths: int) -> Sequence[np.ndarray]:
    """The results with paths of the reference changed."""
    assert draw.paths is not None, "only where there are paths"
    kept = draw.paths.all.copy()
    kept[[*paths]] = False
    found = draw.paths.pull([*draw.args.values()], [*draw.dz.values()], kept)
    return list(map(np.asarray, found))


def _times(a: Any, b: Any, shape: Any = None) -> Any:
    """The product; None if there is none, or not of this shape."""
    try:
        product = None if a is None or b is None else a * b
    except ValueError:
        return None
    return product if product is None or shape in (None, product.shape) else None


def _summed(array: Any, like: np.ndarray) -> Any:
    """The array, summed over axes to the shape of another; None if no axes give that."""
    sums = () if array is None else map(array.sum, _subsets(array.ndim))
    return next((total for total in sums if total.shape == like.shape), None)


def _subsets(count: int) -> Iterator[tuple[int, ...]]:
    return itertools.chain(*(itertools.combinations(range(count), k) for k in range(count + 1)))
