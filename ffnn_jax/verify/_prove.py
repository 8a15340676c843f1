"""Proofs that a rule computes the derivative: at small shapes, by algebra, for all numbers at once.

The traced backward of a symbolic cotangent, minus the derivative of the traced definition's inner
product with it, is shown to be zero, and so is the difference of the values. Every value of an
integer argument is tried, and comparisons are proved case by case. What this does not show: other
shapes, rounding and dtypes, infinities and NaN, derivatives of the derivative.
"""

import dataclasses
import functools
import itertools
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, names_in, size_of
from ffnn_jax.verify._cases import Case, explore
from ffnn_jax.verify._field import Element, Field, Unsupported
from ffnn_jax.verify._interpreter import Interpreter, objects
from ffnn_jax.verify._rule import Function, Rule, require_choice
from ffnn_jax.verify._subject import Subject, value_and_cotangents

TIES = ("any", "number", "below")
MOST_CASES = 1000
_POINTS = 200


@dataclasses.dataclass(frozen=True)
class Proof:
    """What came of a proof; true if it is one.

    Attributes:
        verdict: "proved", "disproved" or "not decided".
        reason: the counterexample, or what was not decided.
        shapes: the shapes of the arguments.
        partials: the partial derivatives of an output with respect to an entry of an argument.
        cases: combinations of integer arguments, and of signs.
        seconds: the time it took.
        primitives: names of the primitives that were interpreted.
    """

    verdict: str
    reason: str
    shapes: tuple[tuple[int, ...], ...]
    partials: int
    cases: int
    seconds: float
    primitives: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether it is proved."""
        return self.verdict == "proved"

    def __str__(self) -> str:
        """The verdict in a line."""
        shapes = " ".join("x".join(map(str, shape)) or "scalar" for shape in self.shapes)
        cases = f"{self.cases} case{'s' * (self.cases != 1)}"
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.verdict} at {shapes}, {cases}, {self.seconds:.1f} s{reason}"


def prove_vjp(
    op: Function | Rule, reference: Function | None = None, *arguments: Any,
    sizes: Sizes | None = None, ties: str = "any", within: float | None = None,
    timeout: float = 60.0,
) -> Proof:  # fmt: skip
    """Proves by algebra that a rule computes the derivative of its definition, at one small shape.

    Needs python-flint, from the extra ``proof``. It is a proof for exact numbers: of rounding,
    dtypes, infinities, NaN and other shapes it says nothing.

    Args:
        op: the function, usually a ``jax.custom_vjp`` or ``jax.custom_jvp``; or a ``Rule``, which
            says its reference and arguments, too.
        reference: the definition, in ordinary JAX operations.
        *arguments: one description per argument, as for ``check_vjp``.
        sizes: the size of each axis name; by default 2, 3, 4, ... in order. Time grows with them,
            and with the signs that comparisons can have.
        ties: the derivative where two operands of max or min are equal, and of abs at 0: "any" of
            the pieces that meet; of the "number", where one operand is one, else of the second;
            or of the piece "below", where the first is smaller.
        within: a bound on the absolute values of the arguments; by default there is none.
        timeout: seconds after which what is not proved is not decided.

    Raises:
        ValueError: a description or option is invalid, or the functions cannot be called so.
    """
    return _prove(op, reference, arguments, sizes, ties, within, timeout, derivatives=True)


def prove_equal(
    first: Function, second: Function, *arguments: Any,
    sizes: Sizes | None = None, ties: str = "any", within: float | None = None,
    timeout: float = 60.0,
) -> Proof:  # fmt: skip
    """Proves by algebra that two functions have the same values; settings are as in ``prove_vjp``.

    Raises:
        ValueError: a description or option is invalid, or the functions cannot be called so.
    """
    return _prove(first, second, arguments, sizes, ties, within, timeout, derivatives=False)


def _prove(
    op: Any, reference: Any, arguments: Any, sizes: Sizes | None, ties: str,
    within: float | None, timeout: float, derivatives: bool,
) -> Proof:  # fmt: skip
    require_choice("ties", ties, TIES)
    rule = op if isinstance(op, Rule) else Rule(op, reference, arguments)
    if rule.reference is None:
        raise ValueError("reference: a proof needs the definition")
    names = names_in(rule.words)
    sizes = {name: 2 + i for i, name in enumerate(names)} if sizes is None else sizes
    start = time.monotonic()
    prover = _Prover(Subject.of(rule, sizes), sizes, ties, within, derivatives)
    verdict, reason = prover.verdict(start + timeout)
    return Proof(
        verdict, reason, prover.shapes, prover.partials, prover.cases, time.monotonic() - start,
        tuple(sorted(prover.used)),
    )  # fmt: skip


class _Counterexample(Exception):
    """Numbers at which two values certainly differ."""


class _Prover:
    """Proves one rule at one set of sizes, and counts what it proved."""

    def __init__(
        self, subject: Subject, sizes: Sizes, ties: str, within: float | None, derivatives: bool
    ) -> None:
        self._subject, self._ties, self._within = subject, ties, within
        args = subject.draw(np.random.default_rng(0), sizes)
        self.shapes = tuple(np.shape(argument) for argument in args)
        self._values = [_values_of(subject, sizes, args, i) for i in range(len(args))]
        self.partials, self.cases, self.used = 0, 0, set[str]()
        with subject.on_cpu():
            z = jax.eval_shape(subject.op, *args) if derivatives else ()
            dz = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), z)
            self._definition = jax.make_jaxpr(subject.truth)(*args)
            pulled = functools.partial(value_and_cotangents, subject.op, subject.reals)
            compared = pulled if derivatives else lambda given, _: subject.op(*given)
            self._code = jax.make_jaxpr(compared)(args, dz)
        self._outputs = [leaf.shape for leaf in jax.tree.leaves(z)]
        reals = (self.shapes[i] for i in subject.reals)
        self._numbers = sum(int(np.prod(shape)) for shape in reals)
        self._symbols = self._numbers + sum(int(np.prod(shape)) for shape in self._outputs)

    def verdict(self, deadline: float) -> tuple[str, str]:
        """Proves every case; one that is not decided does not hide a counterexample in another."""
        undecided = ""
        try:
            for integers in itertools.product(*self._values):
                for limit in explore(functools.partial(self._case, integers)):
                    undecided = undecided or limit
                    if time.monotonic() > deadline:
                        return "not decided", undecided or f"out of time after {self.cases} cases"
                    if self.cases > MOST_CASES:
                        return "not decided", undecided or f"more than {MOST_CASES} cases"
        except _Counterexample as found:
            return "disproved", str(found)
        return ("not decided", undecided) if undecided else ("proved", "")

    def _case(self, integers: Sequence[Any], answers: list[int]) -> tuple[str, list[list[int]]]:
        """Proves one case; returns what was not decided, and the cases that branch off."""
        field = Field(self._symbols)
        case = Case(field, answers, self._bounds())
        args, dz = self._arrays(field, integers)
        self.cases += 1
        try:
            with self._subject.on_cpu():
                code = Interpreter(field, case.sign)
                found = code(self._code, [*args, *dz])
                self._compare(field, case, args, dz, found)
        except Unsupported as limit:
            return str(limit), case.others
        self.used |= code.used
        return "", case.others

    def _compare(self, field: Field, case: Case, args: Any, dz: Any, found: list[Any]) -> None:
        """Compares with the definition; at ties of "any" kind, with each of the pieces that meet."""
        problems: list[Exception] = []
        for sides in itertools.count():
            tie = _Tie(case, self._ties, sides)
            definition = Interpreter(field, case.sign, tie.sign)
            z = definition(self._definition, args)
            if "stop_gradient" in definition.used:
                raise Unsupported("stop_gradient in the definition")
            problem = self._problem(field, case, args, dz, z, found)
            if problem is None:
                return
            problems.append(problem)
            if sides + 1 >= 2 ** len(tie.met):
                raise problems[0]

    def _problem(
        self, field: Field, case: Case, args: Any, dz: Any, z: list[Any], found: list[Any]
    ) -> Exception | None:
        """The first value or partial derivative that is not proved."""
        pairs = list(self._pairs(field, args, dz, z, found))
        for where, given, expected in pairs:
            if isinstance(given, Element) and isinstance(expected, Element):
                difference = field.substitute(given - expected, case.ties)
                if not field.is_zero(difference):
                    return self._difference(field, case, where, difference)
            elif given != expected:
                return Unsupported(f"{where}: infinity in one of both")
        self.partials += sum(where != "the value" for where, *_ in pairs)
        return None

    def _pairs(
        self, field: Field, args: Any, dz: Any, z: list[Any], found: list[Any]
    ) -> Iterator[tuple[str, Any, Any]]:
        """(name, ours, the definition's), for every value and every partial derivative."""
        values, cotangents = found[: len(z)], found[len(z) :]
        outputs, weights = list(_entries(z)), list(_entries(dz))
        yield from (("the value", *pair) for pair in zip(_entries(values), outputs, strict=True))
        reals, names = self._subject.reals, self._subject.cotangent_names
        for name, position, cotangent in zip(names, reals, cotangents, strict=bool(cotangents)):
            for place in np.ndindex(cotangent.shape):
                symbol = field.index_of(args[position][place])
                slopes = (
                    d * field.derivative(v, symbol) for d, v in zip(weights, outputs, strict=True)
                )
                where = f"{name}[{', '.join(map(str, place))}]"
                yield where, cotangent[place], sum(slopes, start=field.zero)

    def _difference(self, field: Field, case: Case, where: str, difference: Element) -> Exception:
        """A counterexample: rational numbers at which the difference is certainly not 0."""
        generator, fixed = random.Random(0), case.point
        for _ in range(_POINTS):
            point = {i: Fraction(generator.randint(-9, 9), 4) for i in range(self._symbols)}
            point |= {i: number for i, number in fixed.items() if isinstance(i, int)}
            if case.holds(point):
                gap = field.ball(difference, point)
                if gap.is_finite() and not gap.contains(0):
                    gap_text = gap.str(6, radius=False)
                    return _Counterexample(f"{where} is off by {gap_text} at {self._shown(point)}")
        return Unsupported(f"{where}: no normal form")

    def _shown(self, point: Mapping[int, Fraction]) -> str:
        """The numbers of a point by argument, then those of the cotangent."""
        numbers, words = iter(str(point[i]) for i in range(self._symbols)), []
        for i in self._subject.reals:
            own = itertools.islice(numbers, int(np.prod(self.shapes[i])))
            words.append(f"{self._subject.names[i]} = [{', '.join(own)}]")
        return "; ".join([*words, f"cotangent = [{', '.join(numbers)}]"])

    def _arrays(self, field: Field, integers: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Arguments and cotangents: arrays of symbols, and these integers."""
        symbols = map(field.symbol, itertools.count())

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

    def sign(self, difference: Element, first: Any = None) -> int:
        """The sign of first - second."""
        field, sign = self._case.field, self._case.sign(difference)
        if sign or field.is_zero(difference):
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
    below = 2 if word.below is None else size_of(word.below, sizes)
    combinations = itertools.product(range(below), repeat=drawn.size)
    return [np.array(numbers, drawn.dtype).reshape(drawn.shape) for numbers in combinations]


def _entries(arrays: Sequence[Any]) -> Iterator[Any]:
    for array in arrays:
        yield from array.ravel()
