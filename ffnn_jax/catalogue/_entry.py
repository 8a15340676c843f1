"""What the catalogue holds of an operation: all that is needed to check it, and how to break it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify import Argument, Kink, Sizes, Subject

Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Fault:
    """A wrong rule that a checker has to refuse.

    Attributes:
        name: says what is wrong, in a few words.
        backward: the wrong backward, with the arguments of the right one.
        forward: a wrong forward, where the fault is in the residuals; else the right one.
        case: place of the case at whose first sizes the fault is tried.
        many: whether it takes many terms to see it, so that it is tried at the case's last sizes
            too.
    """

    name: str
    backward: Function | None = None
    forward: Function | None = None
    case: int = 0
    many: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    """One setting of an operation's static arguments, and the sizes to check it at.

    Attributes:
        sizes: sizes for the names, the smallest first.
        static: the static arguments, in the order in which the operation takes them.
    """

    sizes: Sequence[Sizes]
    static: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """An operation of ``ffnn_jax.layers``, its plain definition, and what is known of it.

    The fields that ``ffnn_jax.verify.Subject`` has too mean the same.
    """

    name: str
    op: Function
    forward: Function
    backward: Function
    reference: Function
    arguments: tuple[str, ...]
    cases: tuple[Case, ...]
    batch: str | None = None
    reduces: str = "sum"
    linear: tuple[int, ...] = ()
    exact: bool = False
    empty_batch: bool = False
    kinks: tuple[Kink, ...] = ()
    faults: tuple[Fault, ...] = ()

    def subjects(self, more: int = 0, seed: int = 0) -> list[tuple[Subject, Sequence[Sizes]]]:
        """The operation under every case; the kinks are those of the first.

        Args:
            more: random sets of sizes to add to each case, between its first and its last.
            seed: decides them.
        """
        return [
            (self._subject(_set(self.op, case), place), self._sizes(case, more, seed + place))
            for place, case in enumerate(self.cases)
        ]

    def planted(self, fault: Fault) -> tuple[Subject, Sequence[Sizes]]:
        """The operation with a fault in it, and the sizes to try it at."""
        case = self.cases[fault.case]
        forward = _set(fault.forward or self.forward, case)
        backward = functools.partial(fault.backward or self.backward, *case.static.values())
        wrong = jax.custom_vjp(lambda *args: forward(*args)[0])
        wrong.defvjp(forward, backward)
        sizes = (case.sizes[0], case.sizes[-1]) if fault.many else case.sizes[:1]
        return self._subject(wrong, fault.case), sizes

    def _sizes(self, case: Case, more: int, seed: int) -> Sequence[Sizes]:
        """The case's sizes and random ones, none of them refused by the operation."""
        generator, drawn = np.random.default_rng(seed), []
        while len(drawn) < more:
            sizes = {name: int(generator.integers(1, 10)) for name in case.sizes[0]}
            if self._takes(case, sizes):
                drawn.append(sizes)
        return [*case.sizes[:1], *drawn, *case.sizes[1:]]

    def _takes(self, case: Case, sizes: Sizes) -> bool:
        arguments = map(Argument.parse, self.arguments)
        drawn = [argument.draw(np.random.default_rng(0), sizes) for argument in arguments]
        try:
            jax.eval_shape(_set(self.op, case), *drawn)
        except ValueError:
            return False
        return True

    def _subject(self, op: Function, place: int) -> Subject:
        return Subject(
            op,
            self._reference(place),
            tuple(map(Argument.parse, self.arguments)),
            self.batch,
            self.reduces,
            self.linear,
            self.exact,
            self.empty_batch,
            self.kinks if place == 0 else (),
        )

    @functools.cache  # noqa: B019  entries live as long as the program
    def _reference(self, place: int) -> Function:
        """One function a case, so that what is compiled for it serves every fault."""
        return _set(self.reference, self.cases[place])


def _set(function: Function, case: Case) -> Function:
    return functools.partial(function, **case.static) if case.static else function
