"""What the catalogue holds of an operation: all that is needed to check it, and how to break it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

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
    """

    name: str
    backward: Function | None = None
    forward: Function | None = None
    case: int = 0


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

    def subjects(self) -> list[tuple[Subject, Sequence[Sizes]]]:
        """The operation under every case; the kinks are those of the first."""
        return [
            (self._subject(_set(self.op, case), place), case.sizes)
            for place, case in enumerate(self.cases)
        ]

    def planted(self, fault: Fault) -> tuple[Subject, Sizes]:
        """The operation with a fault in it, and the sizes to try it at."""
        case = self.cases[fault.case]
        forward = _set(fault.forward or self.forward, case)
        backward = functools.partial(fault.backward or self.backward, *case.static.values())
        wrong = jax.custom_vjp(lambda *args: forward(*args)[0])
        wrong.defvjp(forward, backward)
        return self._subject(wrong, fault.case), case.sizes[0]

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
