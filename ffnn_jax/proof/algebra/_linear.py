"""Linear forms with given signs: a point at which they have them, after Fourier and Motzkin."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

Form = dict[Any, Fraction]
"""A coefficient for each name, and for 1 by None."""
Fact = tuple[Form, int]
"""A form, and its sign."""


def solution(facts: Sequence[Fact]) -> dict[Any, Fraction] | None:
    """A point at which linear forms have these signs; None if there is none."""
    turned = ({name: -c for name, c in form.items()} if sign < 0 else form for form, sign in facts)
    return _solve([(form, sign != 0) for form, (_, sign) in zip(turned, facts, strict=True)])


def _solve(forms: list[tuple[Form, bool]]) -> dict[Any, Fraction] | None:
    """A point at which forms are positive where strict and 0 elsewhere."""
    name = next((n for form, _ in forms for n in form if n is not None), None)
    if name is None:
        values = [(form.get(None, Fraction(0)), strict) for form, strict in forms]
        return {} if all(v > 0 if strict else v == 0 for v, strict in values) else None
    equal = next((form for form, strict in forms if not strict and name in form), None)
    if equal is not None:
        rest = [
            (_without(form, name, equal), strict) for form, strict in forms if form is not equal
        ]
        point = _solve(rest)
        return point if point is None else {**point, name: _bound(equal, name, point)}
    lower, upper = ([f for f, _ in forms if f.get(name, 0) * s > 0] for s in (1, -1))
    pairs = [(_without(low, name, up), True) for low in lower for up in upper]
    point = _solve([*(pair for pair in forms if name not in pair[0]), *pairs])
    if point is None:
        return None
    return {**point, name: _between(
        [_bound(form, name, point) for form in lower], [_bound(form, name, point) for form in upper]
    )}  # fmt: skip


def _between(lower: list[Fraction], upper: list[Fraction]) -> Fraction:
    if lower and upper:
        return (max(lower) + min(upper)) / 2
    return max(lower) + 1 if lower else min(upper) - 1 if upper else Fraction(0)


def _bound(form: Form, name: Any, point: Mapping[Any, Fraction]) -> Fraction:
    """The value of a symbol at which a form is 0."""
    rest = sum(c * (1 if n is None else point.get(n, 0)) for n, c in form.items() if n != name)
    return -rest / form[name]


def _without(form: Form, name: Any, other: Form) -> Form:
    """A positive multiple of the form plus a multiple of the other, without this symbol."""
    if name not in form:
        return form
    scale = abs(other[name])
    factor = -form[name] * scale / other[name]
    names = dict.fromkeys((*form, *other))
    mixed = {
        n: scale * form.get(n, Fraction(0)) + factor * other.get(n, Fraction(0)) for n in names
    }
    return {n: c for n, c in mixed.items() if c}
