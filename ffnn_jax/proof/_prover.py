"""The proof of one rule at one small shape: case by case, every value and partial derivative."""

import contextlib
import functools
import itertools
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from ffnn_jax.proof.algebra import (
    Case,
    Element,
    Field,
    Interpreter,
    UndecidedError,
    derivative,
    explore,
    generators_of,
    interval,
    known_primitives,
    objects,
    substitute,
)
from ffnn_jax.verify import Argument, Sizes, Subject

__all__ = ["Prover", "known_primitives"]
_MOST_CASES = 1000
_POINTS = 4
_MANY_FUNCTIONS = 24
_VALUE = "the value"


class _CounterexampleError(Exception):
    """Numbers at which two values certainly differ."""


class Prover:
    """Proves one rule at one set of sizes, and counts what it proved."""

    def __init__(
        self, subject: Subject, sizes: Sizes, ties: str, within: float | None, derivatives: bool
    ) -> None:
        self._subject, self._ties, self._within = subject, ties, within
        self._derivatives = derivatives
        args = subject.draw(np.random.default_rng(0), sizes)
        self.shapes = tuple(np.shape(argument) for argument in args)
        self._values = [_values_of(subject, sizes, args, i) for i in range(len(args))]
        self.partials, self.cases, self.used = 0, 0, set[str]()
        with subject.on_cpu():
            z = jax.eval_shape(subject.op, *args) if derivatives else ()
            dz = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), z)
            self._definition = jax.make_jaxpr(subject.truth)(*args)
            code = subject.pull if derivatives else lambda given, _: subject.op(*given)
            self._code = jax.make_jaxpr(code)(args, dz)
        expected, given = self._definition.out_avals, self._code.out_avals
        if any(a.shape != b.shape for a, b in zip(expected, given, strict=False)):
            shapes = " and ".join(str(avals[0].shape) for avals in (given, expected))
            raise ValueError(f"the functions must return the same shapes, got {shapes}")
        self._outputs = [leaf.shape for leaf in jax.tree.leaves(z)]
        reals = (self.shapes[i] for i in subject.reals)
        self._numbers = sum(int(np.prod(shape)) for shape in reals)
        self._symbols = self._numbers + sum(int(np.prod(shape)) for shape in self._outputs)
        self._used_field = Field(self._symbols)

    def verdict(self, deadline: float) -> tuple[str, str]:
        """Proves every case; one that is not decided does not hide a counterexample in another."""
        undecided, generator = "", random.Random(0)
        try:
            for _ in range(_POINTS):
                self._at_a_point(generator)
            for integers in itertools.product(*self._values):
                for limit in explore(functools.partial(self._case, integers)):
                    undecided = undecided or limit
                    if time.monotonic() > deadline:
                        return "not decided", undecided or f"out of time after {self.cases} cases"
                    if self.cases > _MOST_CASES:
                        return "not decided", undecided or f"more than {_MOST_CASES} cases"
        except _CounterexampleError as found:
            return "disproved", str(found)
        return ("not decided", undecided) if undecided else ("proved", "")

    def _field(self) -> Field:
        """The field of the case before, whose results help this one; a new one when it fills."""
        if len(self._used_field.generators) > self._symbols + _MANY_FUNCTIONS:
            self._used_field = Field(self._symbols)
        return self._used_field

    def _at_a_point(self, generator: random.Random) -> None:
        """Compares in the case of a random point, which finds most counterexamples at once."""
        integers = [generator.choice(values) for values in self._values]
        point = {i: Fraction(generator.randint(-9, 9), 4) for i in range(self._symbols)}
        with contextlib.suppress(UndecidedError):
            self._run(Case(self._field(), [], point), integers)

    def _case(self, integers: Sequence[Any], answers: list[int]) -> tuple[str, list[list[int]]]:
        """Proves one case; returns what was not decided, and the cases that branch off."""
        case = Case(self._field(), answers, facts=self._bounds())
        self.cases += 1
        try:
            self.partials += self._run(case, integers)
        except UndecidedError as limit:
            return str(limit), case.others
        return "", case.others

    def _run(self, case: Case, integers: Sequence[Any]) -> int:
        """Compares rule and definition in a case; returns the number of partial derivatives."""
        args, dz = self._arrays(case.field, integers)
        with self._subject.on_cpu():
            code = Interpreter(case.field, case.sign)
            found = code(self._code, [*args, *dz])
            self.used |= code.used
            return self._compare(case, args, dz, found)

    def _compare(self, case: Case, args: Any, dz: Any, found: list[Any]) -> int:
        """Compares with the definition; at ties of "any" kind, with each piece that meets there."""
        problems, sides, ties = [], 0, 1
        while sides < ties:
            tie = _Tie(case, self._ties, sides)
            definition = Interpreter(case.field, case.sign, tie.sign)
            z = definition(self._definition, args)
            if self._derivatives and "stop_gradient" in definition.used:
                raise UndecidedError("stop_gradient in the definition")
            pairs = list(self._pairs(case.field, args, dz, z, found))
            problem = self._problem(case, pairs)
            if problem is None:
                return sum(where != _VALUE for where, *_ in pairs)
            problems.append(problem)
            sides, ties = sides + 1, 2 ** len(tie.met)
        raise problems[0]

    def _problem(self, case: Case, pairs: Sequence[tuple[str, Any, Any]]) -> Exception | None:
        """The first value or partial derivative that is not proved."""
        for where, given, expected in pairs:
            if isinstance(given, Element) and isinstance(expected, Element):
                difference = substitute(given - expected, case.ties)
                if not difference.is_zero:
                    return self._difference(case, where, difference)
            elif given != expected:
                return UndecidedError(f"{where}: infinity in one of both")
        return None

    def _pairs(
        self, field: Field, args: Any, dz: Any, z: list[Any], found: list[Any]
    ) -> Iterator[tuple[str, Any, Any]]:
        """(name, ours, the definition's), for every value and every partial derivative."""
        values, cotangents = found[: len(z)], found[len(z) :]
        outputs, weights = list(_entries(z)), list(_entries(dz))
        yield from ((_VALUE, *pair) for pair in zip(_entries(values), outputs, strict=True))
        reals, names = self._subject.reals, self._subject.cotangent_names
        for name, position, cotangent in zip(names, reals, cotangents, strict=bool(cotangents)):
            for place in np.ndindex(cotangent.shape):
                (symbol,) = generators_of(args[position][place].num)
                slopes = (d * derivative(v, symbol) for d, v in zip(weights, outputs, strict=True))
                where = f"{name}[{', '.join(map(str, place))}]"
                yield where, cotangent[place], sum(slopes, start=field.zero)

    def _difference(self, case: Case, where: str, difference: Element) -> Exception:
        """A counterexample: rational numbers at which the difference is certainly not 0."""
        for point in self._points(case):
            gap = interval(difference, point)
            if gap.is_finite() and not gap.contains(0):
                off = f"{where} is off by {gap.str(6, radius=False)}"
                return _CounterexampleError(f"{off} at {self._shown(point)}")
        return UndecidedError(f"{where}: no normal form")

    def _points(self, case: Case) -> Iterator[Mapping[int, Fraction]]:
        """Points at which the answers of a case hold."""
        if case.at is not None:
            yield case.at
            return
        generator = random.Random(0)
        fixed = {i: number for i, number in case.point.items() if isinstance(i, int)}
        for _ in range(_POINTS):
            point = {i: Fraction(generator.randint(-9, 9), 4) for i in range(self._symbols)}
            if case.holds(point | fixed):
                yield point | fixed

    def _shown(self, point: Mapping[int, Fraction]) -> str:
        """The numbers of a point by argument, then those of the cotangent."""
        numbers, words = iter(str(point[i]) for i in range(self._symbols)), []
        for i in self._subject.reals:
            own = itertools.islice(numbers, int(np.prod(self.shapes[i])))
            words.append(f"{self._subject.names[i]} = [{', '.join(own)}]")
        rest = ", ".join(numbers)
        return "; ".join([*words, *([f"cotangent = [{rest}]"] if rest else [])])

    def _arrays(self, field: Field, integers: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Arguments and cotangents: arrays of symbols, and these integers."""
        symbols = map(field.generator, itertools.count())

        def array(shape: tuple[int, ...]) -> np.ndarray:
            return objects([next(symbols) for _ in range(int(np.prod(shape)))], shape)

        args = [
            array(shape) if i in self._subject.reals else integers[i]
            for i, shape in enumerate(self.shapes)
        ]
        return args, [array(shape) for shape in self._outputs]

    def _bounds(self) -> list[Any]:
        """Facts that say how far the arguments go."""
        if self._within is None:
            return []
        limit, signs = Fraction(self._within), (Fraction(1), Fraction(-1))
        return [({i: sign, None: limit}, 1) for i in range(self._numbers) for sign in signs]


class _Tie:
    """The sign by which max, min and abs choose where a case has a tie."""

    def __init__(self, case: Case, kind: str, sides: int) -> None:
        """``sides`` has a bit for each tie of "any" kind that is ``met``: 0 is the piece below."""
        self._case, self._kind, self._sides = case, kind, sides
        self.met: dict[Any, int] = {}

    def sign(self, difference: Element) -> int:
        """The sign of first - second."""
        sign = self._case.sign(difference)
        if sign or difference.is_zero:
            return sign
        if self._kind == "below":
            return -1
        if self._kind == "number":
            return 0
        key, negated = difference.key, (-difference).key
        if negated in self.met:
            return -self._side(self.met[negated])
        return self._side(self.met.setdefault(key, len(self.met)))

    def _side(self, place: int) -> int:
        return 1 if self._sides >> place & 1 else -1


def _values_of(subject: Subject, sizes: Sizes, args: Sequence[Any], position: int) -> list[Any]:
    """Every value of an argument of integers or booleans; others stand for themselves."""
    drawn, word = args[position], subject.words[position]
    if word is None or (word.below is None and word.domain != "bool"):
        return [drawn]
    (below,) = Argument((word.below or "2",)).shape(sizes)
    combinations = itertools.product(range(below), repeat=drawn.size)
    return [np.array(numbers, drawn.dtype).reshape(drawn.shape) for numbers in combinations]


def _entries(arrays: Sequence[Any]) -> Iterator[Any]:
    for array in arrays:
        yield from array.ravel()
