"""The proof of one rule at one small shape: case by case, every value and every cotangent."""

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

from ffnn_jax.proof._domains import MOST_CASES, domain_of, values_of
from ffnn_jax.proof._floating_point import undefined_at_numbers
from ffnn_jax.proof._symbols import Symbols
from ffnn_jax.proof._ties import Tie
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
from ffnn_jax.verify import Sizes, Subject

__all__ = ["Prover", "known_primitives"]
_POINTS = 4
_ROUNDING = 1e-12  # what rounded constants may make two values differ by
_MANY_FUNCTIONS = 24
_VALUE = "the value"


class _CounterexampleError(Exception):
    """Numbers at which two values certainly differ, and what may exclude such numbers."""

    def __init__(self, found: str, outside: str) -> None:
        super().__init__(found)
        self.outside = outside


class Prover:
    """Proves one rule at one set of sizes, and counts what it proved."""

    def __init__(
        self, subject: Subject, sizes: Sizes, ties: str, within: float | None, derivatives: bool
    ) -> None:
        """Traces the rule and its definition.

        Raises:
            ValueError: they return different shapes, or nothing.
        """
        self._subject, self._sizes, self._ties = subject, sizes, ties
        self._derivatives = derivatives
        args = subject.draw(np.random.default_rng(0), sizes)
        self.shapes = tuple(np.shape(argument) for argument in args)
        self._values = [values_of(subject, sizes, args, i) for i in range(len(args))]
        self.entries, self.cases, self.used = 0, 0, set[str]()
        with subject.on_cpu():
            z = jax.eval_shape(subject.op, *args) if derivatives else ()
            dz = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), z)
            self._definition = jax.make_jaxpr(subject.reference_outputs)(*args)
            self._plain = jax.make_jaxpr(subject.outputs)(*args)
            self._code = jax.make_jaxpr(subject.pull)(args, dz) if derivatives else None
        _require_same_outputs(self._plain.out_avals, self._definition.out_avals)
        self._outputs = [leaf.shape for leaf in jax.tree.leaves(z)]
        self._symbols = Symbols(
            [subject.names[i] for i in subject.reals],
            [domain_of(subject, i, args[i], within) for i in subject.reals],
            [int(np.prod(self.shapes[i])) for i in subject.reals],
            sum(int(np.prod(shape)) for shape in self._outputs),
        )
        self._used_field, self._deadline = Field(self._symbols.count), float("inf")

    def verdict(self, deadline: float) -> tuple[str, str]:
        """Proves every case; one that is not decided does not hide a counterexample in another."""
        self._deadline = deadline
        try:
            undecided = self._whole()
        except _CounterexampleError as found:
            if found.outside:
                return "not decided", f"not so for all real numbers, and {found.outside}: {found}"
            return "disproved", str(found)
        if not undecided:
            subject, domains = self._subject, self._symbols.domains
            undecided = undefined_at_numbers(
                subject, self._sizes, domains, self.used, self._derivatives
            )
        return ("not decided", undecided) if undecided else ("proved", "")

    def _whole(self) -> str:
        """Proves every case; returns what was not decided first, or nothing."""
        generator, undecided = random.Random(0), ""
        for values in self._values:
            if isinstance(values, str):
                return values
        for _ in range(_POINTS):
            self._at_a_point(generator)
        for integers in itertools.product(*self._values):
            for limit in explore(functools.partial(self._case, integers)):
                undecided = undecided or limit
                if time.monotonic() > self._deadline:
                    return undecided or "out of time"
                if self.cases > MOST_CASES:
                    return undecided or f"more than {MOST_CASES} cases"
        return undecided

    def _field(self) -> Field:
        """The field of the case before, whose results help this one; a new one when it fills."""
        if len(self._used_field.generators) > self._symbols.count + _MANY_FUNCTIONS:
            self._used_field = Field(self._symbols.count)
        self._used_field.deadline = self._deadline
        return self._used_field

    def _at_a_point(self, generator: random.Random) -> None:
        """Compares in the case of a random point, which finds most counterexamples at once."""
        integers = [generator.choice(values) for values in self._values]
        with contextlib.suppress(UndecidedError):
            self._run(Case(self._field(), [], self._symbols.random_point(generator)), integers)

    def _case(self, integers: Sequence[Any], answers: list[int]) -> tuple[str, list[list[int]]]:
        """Proves one case; returns what was not decided, and the cases that branch off."""
        case = Case(self._field(), answers, facts=self._symbols.facts())
        self.cases += 1
        try:
            self.entries += self._run(case, integers)
        except UndecidedError as limit:
            return str(limit), case.others
        return "", case.others

    def _run(self, case: Case, integers: Sequence[Any]) -> int:
        """Compares rule and definition in a case; returns the number of entries of cotangents."""
        args, dz = self._arrays(case.field, integers)
        with self._subject.on_cpu():
            code = Interpreter(case.field, case.sign)
            plain = code(self._plain, args)
            found = code(self._code, [*args, *dz]) if self._code else []
            self.used |= code.used
            return self._compare(case, args, dz, plain, found)

    def _compare(self, case: Case, args: Any, dz: Any, plain: list[Any], found: list[Any]) -> int:
        """Compares with the definition; at ties of "any" kind, with each piece that meets there."""
        problems, sides, ties = [], 0, 1
        while sides < ties:
            tie = Tie(case, self._ties, sides)
            definition = Interpreter(case.field, case.sign, tie.sign)
            z = definition(self._definition, args)
            if self._derivatives and "stop_gradient" in definition.used:
                raise UndecidedError("stop_gradient in the definition")
            if tie.has_a_direction:
                pairs = self._pairs(case.field, args, dz, z, [*plain, *found])
                problem = self._problem(case, pairs)
                if problem is None:
                    return sum(self._symbols.sizes) if self._derivatives else 0
                problems.append(problem)
            sides, ties = sides + 1, 2 ** len(tie.met)
        raise problems[0]

    def _problem(self, case: Case, pairs: Iterator[tuple[str, Any, Any]]) -> Exception | None:
        """The first value or entry of a cotangent that is not proved."""
        for where, given, expected in pairs:
            if isinstance(given, Element) and isinstance(expected, Element):
                difference = substitute(given - expected, case.ties)
                if not difference.is_zero:
                    return self._difference(case, where, difference)
            elif given != expected:
                return UndecidedError(f"{where}: {given} where the definition has {expected}")
        return None

    def _pairs(
        self, field: Field, args: Any, dz: Any, z: list[Any], found: list[Any]
    ) -> Iterator[tuple[str, Any, Any]]:
        """(name, ours, the definition's), for every value and every entry of a cotangent."""
        values, rest = found[: len(z)], found[len(z) :]
        again, cotangents = rest[: len(dz)], rest[len(dz) :]
        outputs, weights = list(_entries(z[: len(dz)])), list(_entries(dz))
        yield from ((_VALUE, *pair) for pair in zip(_entries(values), _entries(z), strict=True))
        yield from ((_VALUE, *pair) for pair in zip(_entries(again), outputs, strict=True))
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
            if gap.is_finite() and abs(gap) > _ROUNDING:
                off = f"{where} is off by {gap.str(6, radius=False)}"
                found = f"{off} at {self._symbols.shown(point)}"
                return _CounterexampleError(found, self._symbols.doubt())
        return UndecidedError(f"{where} can neither be shown to be right nor to be wrong")

    def _points(self, case: Case) -> Iterator[Mapping[int, Fraction]]:
        """Points at which the answers of a case hold."""
        if case.at is not None:
            yield case.at
            return
        generator = random.Random(0)
        fixed = {i: number for i, number in case.point.items() if isinstance(i, int)}
        if fixed and any(domain.simplex for domain in self._symbols.domains):
            return  # numbers in place of some of a simplex would not sum to 1
        for _ in range(_POINTS):
            point = self._symbols.random_point(generator) | fixed
            if case.holds(point):
                yield point

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


def _require_same_outputs(given: Sequence[Any], expected: Sequence[Any]) -> None:
    kinds = [[(a.shape, a.dtype.kind) for a in avals] for avals in (given, expected)]
    if kinds[0] != kinds[1]:
        shown = " and ".join(str([str(a) for a in avals]) for avals in (given, expected))
        raise ValueError(f"the functions must return the same shapes, got {shown}")
    if not given:
        raise ValueError("the functions return no arrays, so there is nothing to prove")


def _entries(arrays: Sequence[Any]) -> Iterator[Any]:
    for array in arrays:
        yield from array.ravel()
