"""Proof by cases: every combination of signs that the comparisons of a computation can meet.

A computation asks for signs of elements. The sign of a product follows from those of its factors,
of which exponentials and roots are positive; what is left is asked of the case. A case is a list
of answers, -1, 0 or 1, and a point at which they hold. Comparisons of linear forms are answered
exactly as the rational points allow, by elimination after Fourier and Motzkin; a factor that is
not linear is taken as a number of its own, which may add a case that no point meets.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ffnn_jax.verify._field import Element, Field, Unsupported

Form = dict[Any, Fraction]  # a linear form: a coefficient for each symbol, and for 1 by None
Fact = tuple[Form, int]


@dataclasses.dataclass
class Case:
    """One combination of signs, which grows as a computation asks for more of them.

    Attributes:
        facts: the linear forms that were asked for, and their signs.
        ties: symbols that equalities eliminate, as elements.
        others: first answers of the cases that branch off from this one.
        asked: what was asked for, as elements, and the answers.
    """

    field: Field
    answers: list[int]  # the answers so far, then the first possible ones
    facts: list[Fact] = dataclasses.field(default_factory=list)
    ties: dict[int, Element] = dataclasses.field(default_factory=dict)
    others: list[list[int]] = dataclasses.field(default_factory=list)
    asked: list[tuple[Element, int]] = dataclasses.field(default_factory=list)

    def sign(self, a: Element) -> int:
        """The sign of an element in this case."""
        a = self.field.substitute(a, self.ties)
        if self.field.is_zero(a):
            return 0
        sign = 1
        for factor, power in (*self.field.factors(a.num), *self.field.factors(a.den)):
            if power % 2 or self._of_factor(factor) == 0:
                sign *= self._of_factor(factor)
        return sign

    @property
    def point(self) -> dict[Any, Fraction]:
        """Rational numbers for the symbols of the facts, at which linear ones hold."""
        return solution(self.facts) or {}

    def holds(self, point: Mapping[Any, Fraction]) -> bool:
        """Whether the answers are certainly those at this point."""
        balls = ((self.field.ball(a, point), sign) for a, sign in self.asked)
        return all(ball == 0 if sign == 0 else sign * ball > 0 for ball, sign in balls)

    def _of_factor(self, factor: Any) -> int:
        constant = factor.is_constant()
        if constant:
            return 1 if factor.leading_coefficient() > 0 else -1
        if self._is_positive(factor) or self._is_positive(-factor):
            return 1 if self._is_positive(factor) else -1
        form = _form(factor)
        for known, sign in self.facts:
            if known == form:
                return sign
            if known == {name: -c for name, c in form.items()}:
                return -sign
        return self._ask(form, factor)

    def _is_positive(self, factor: Any) -> bool:
        """Whether terms are positive, or not negative with a positive one among them."""
        odd = [[i for i, k in enumerate(powers) if k % 2] for powers in factor.monoms()]
        unsigned = all(self.field.positive(i) for places in odd for i in places)
        sure = any(
            all(self.field.positive(i) for i, k in enumerate(powers) if k)
            for powers in factor.monoms()
        )
        return unsigned and sure and min(factor.coeffs()) > 0

    def _ask(self, form: Form, factor: Any) -> int:
        """The case's next answer; where it has none, the first that a point can meet."""
        if len(self.asked) == len(self.answers):
            possible = [s for s in (-1, 1, 0) if solution([*self.facts, (form, s)]) is not None]
            self.others += [[*self.answers, other] for other in possible[1:]]
            self.answers.append(possible[0])
        answer = self.answers[len(self.asked)]
        self.asked.append((self.field.polynomial(factor), answer))
        self.facts.append((form, answer))
        if answer == 0:
            self._eliminate(form)
        return answer

    def _eliminate(self, form: Form) -> None:
        """Expresses a symbol of a form that is 0 by the others."""
        symbols = [name for name in form if isinstance(name, int)]
        if len(symbols) + (None in form) < len(form) or not symbols:
            raise Unsupported("a tie of functions that are not linear")
        (last, *_), lead = sorted(symbols, reverse=True), form[max(symbols)]
        rest = (
            self.field.of(c) * (1 if name is None else self.field.symbol(name))
            for name, c in form.items() if name != last
        )  # fmt: skip
        value = -sum(rest, start=self.field.zero) / lead
        self.ties = {k: self.field.substitute(v, {last: value}) for k, v in self.ties.items()}
        self.ties[last] = value


def explore(run: Callable[[list[int]], tuple[Any, Sequence[list[int]]]]) -> Iterator[Any]:
    """Runs every case: ``run`` gets its first answers, and returns a result and the branches."""
    waiting: list[list[int]] = [[]]
    while waiting:
        result, branches = run(waiting.pop())
        waiting += branches
        yield result


def solution(facts: Sequence[Fact]) -> dict[Any, Fraction] | None:
    """A point at which linear forms have these signs; None if there is none."""
    forms = [(form if sign >= 0 else _times(form, Fraction(-1)), sign != 0) for form, sign in facts]
    return _solve(forms)


def _solve(forms: list[tuple[Form, bool]]) -> dict[Any, Fraction] | None:
    """A point at which forms are positive where strict and 0 elsewhere."""
    name = next((n for form, _ in forms for n in form if n is not None), None)
    if name is None:
        values = [(form.get(None, Fraction(0)), strict) for form, strict in forms]
        return {} if all(v > 0 if strict else v == 0 for v, strict in values) else None
    equal = next((form for form, strict in forms if not strict and name in form), None)
    if equal is not None:
        rest = [(_without(form, name, equal), strict) for form, strict in forms if form is not equal]
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
    mixed = {n: scale * form.get(n, Fraction(0)) + factor * other.get(n, Fraction(0)) for n in names}
    return {n: c for n, c in mixed.items() if c}


def _times(form: Form, factor: Fraction) -> Form:
    return {name: factor * c for name, c in form.items()}


def _form(p: Any) -> Form:
    """A polynomial as a linear form; monomials that are not linear are names of their own."""
    form = {}
    for powers, c in p.terms():
        used = [(i, k) for i, k in enumerate(powers) if k]
        linear = len(used) == 1 and used[0][1] == 1
        name = None if not used else used[0][0] if linear else powers
        form[name] = Fraction(int(c.p), int(c.q))
    return form
