"""Proof by cases: every combination of signs that the comparisons of a computation can meet.

A computation asks for signs of elements. The sign of a product follows from those of its factors;
exponentials are positive, and a root has the sign of what is under it. What is left is asked of the
case: a list of answers, -1, 0 or 1, and a point at which they hold. Comparisons of linear forms are
answered exactly as rational points allow. A factor that is not linear is taken as a number of its
own, which may add cases that no point meets, and leaves out none.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ffnn_jax.proof.algebra._calculus import interval, substitute
from ffnn_jax.proof.algebra._field import (
    Element,
    Field,
    Polynomial,
    UndecidedError,
    fraction,
    generators_of,
)
from ffnn_jax.proof.algebra._linear import Fact, Form, solution


@dataclasses.dataclass
class Case:
    """One combination of signs, which grows as a computation asks for more of them.

    Attributes:
        answers: the first answers; then the first possible ones follow.
        at: a point that gives all answers, in place of a case of the enumeration.
        facts: the linear forms that were asked for, and their signs.
        ties: symbols that equalities eliminate, as elements.
        others: first answers of the cases that branch off from this one.
        asked: what was asked for, as elements, and the answers.
    """

    field: Field
    answers: list[int]
    at: Mapping[int, Fraction] | None = None
    facts: list[Fact] = dataclasses.field(default_factory=list)
    ties: dict[int, Element] = dataclasses.field(default_factory=dict)
    others: list[list[int]] = dataclasses.field(default_factory=list)
    asked: list[tuple[Element, int]] = dataclasses.field(default_factory=list)

    def sign(self, a: Element) -> int:
        """The sign of an element in this case."""
        a = substitute(a, self.ties)
        if a.is_zero:
            return 0
        if any(self._of_factor(factor) == 0 for factor, _ in self.field.factors(a.den)):
            raise UndecidedError("a comparison where something is divided by zero")
        sign = 1
        for factor, power in (*self.field.factors(a.num), *self.field.factors(a.den)):
            if power % 2 or self._of_factor(factor) == 0:
                sign *= self._of_factor(factor)
        return sign

    @property
    def point(self) -> dict[Any, Fraction]:
        """Rational numbers for the symbols of the facts, at which linear ones hold."""
        free = {name: Fraction(0) for form, _ in self.facts for name in form}
        return free | (solution(self.facts) or {})

    def holds(self, point: Mapping[Any, Fraction]) -> bool:
        """Whether the answers are certainly those at this point."""
        balls = ((interval(a, point), sign) for a, sign in self.asked)
        return all(ball == 0 if sign == 0 else sign * ball > 0 for ball, sign in balls)

    def _of_factor(self, factor: Polynomial) -> int:
        if factor.is_constant():
            return 1 if factor.leading_coefficient() > 0 else -1
        if self.field.is_positive(factor) or self.field.is_positive(-factor):
            return 1 if self.field.is_positive(factor) else -1
        for index in generators_of(factor):
            law = self.field.generators[index]
            if law.kind == "root" and factor == self.field.context.gen(index):
                return self.sign(law.argument)
        form = form_of(factor)
        for known, sign in self.facts:
            if known == form:
                return sign
            if known == {name: -c for name, c in form.items()}:
                return -sign
        return self._ask(form, factor)

    def _ask(self, form: Form, factor: Polynomial) -> int:
        """The case's next answer; where it has none, the first that a point can meet."""
        if self.at is not None:
            return self._sign_at(factor, self.at)
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

    def _sign_at(self, factor: Polynomial, point: Mapping[int, Fraction]) -> int:
        number = interval(self.field.polynomial(factor), point)
        if number.contains(0):
            raise UndecidedError("a point at which numbers are too close")
        return 1 if number > 0 else -1

    def _eliminate(self, form: Form) -> None:
        """Expresses a symbol of a form that is 0 by the others; a form that is not linear stays."""
        symbols = [name for name in form if isinstance(name, int)]
        if len(symbols) + (None in form) < len(form):
            return
        last = max(symbols)
        rest = (
            c * (self.field.of(1) if name is None else self.field.generator(name))
            for name, c in form.items()
            if name != last
        )
        value = -sum(rest, start=self.field.zero) / form[last]
        self.ties = {k: substitute(v, {last: value}) for k, v in self.ties.items()}
        self.ties[last] = value


def explore(run: Callable[[list[int]], tuple[Any, Sequence[list[int]]]]) -> Iterator[Any]:
    """Runs every case: ``run`` gets its first answers, and returns a result and the branches."""
    waiting: list[list[int]] = [[]]
    while waiting:
        result, branches = run(waiting.pop())
        waiting += branches
        yield result


def form_of(p: Polynomial) -> Form:
    """A polynomial as a linear form; monomials that are not linear are names of their own."""
    form = {}
    for powers, c in p.terms():
        used = [(i, k) for i, k in enumerate(powers) if k]
        linear = len(used) == 1 and used[0][1] == 1
        name = None if not used else used[0][0] if linear else powers
        form[name] = fraction(c)
    return form
