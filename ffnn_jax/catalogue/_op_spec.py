"""What the catalogue holds of an operation: all that is needed to check it, and how to break it."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.catalogue._faults import Fault, Function
from ffnn_jax.catalogue._generic import generic_faults
from ffnn_jax.verify import Argument, Sizes, Subject, Traits

ELEMENTWISE: Sequence[Sizes] = (
    {"N": 3, "D": 4},
    {"N": 1, "D": 5},
    {"N": 9, "D": 1},
    {"N": 512, "D": 7},
)
"""Sizes for what treats every entry of an (N, D) array alike."""


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
class OpSpec(Traits):
    """An operation of ``ffnn_jax.layers``, its plain definition, and what is known of it.

    Attributes:
        op: the ``jax.custom_vjp``; its name, forward and backward are read from it.
        reference: a textbook definition, which autodiff differentiates and which shares no code
            with the layer.
        arguments: what each array argument is, in the words of ``ffnn_jax.verify.Argument``.
        cases: settings and sizes to check it at; kinks are those of the first.
        faults: the planted faults that are its own; those that any rule can have are added.
    """

    op: Any
    reference: Function
    arguments: tuple[str, ...]
    cases: tuple[Case, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.op.__name__

    @functools.cached_property
    def all_faults(self) -> tuple[Fault, ...]:
        """Generic faults, then its own; of two of one name its own is the one."""
        own = {fault.name for fault in self.faults}
        generic = generic_faults(self, self._arguments, self.op, self.op.bwd, self._residuals())
        return (*(fault for fault in generic if fault.name not in own), *self.faults)

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
        forward = _set(fault.forward or self.op.fwd, case)
        backward = functools.partial(fault.backward or self.op.bwd, *case.static.values())
        wrong = jax.custom_vjp(lambda *args: forward(*args)[0])
        wrong.defvjp(forward, backward)
        sizes = (case.sizes[0], case.sizes[-1]) if fault.many else case.sizes[:1]
        return self._subject(wrong, fault.case), sizes

    @property
    def _arguments(self) -> tuple[Argument, ...]:
        return tuple(map(Argument.parse, self.arguments))

    def _drawn(self, sizes: Sizes) -> list[np.ndarray]:
        return [argument.draw(np.random.default_rng(0), sizes) for argument in self._arguments]

    def _residuals(self) -> Any:
        """Shapes and dtypes of what the forward keeps, in the first case."""
        case = self.cases[0]
        return jax.eval_shape(_set(self.op.fwd, case), *self._drawn(case.sizes[0]))[1]

    def _sizes(self, case: Case, more: int, seed: int) -> Sequence[Sizes]:
        """The case's sizes and random ones, none of them rejected by the operation."""
        generator, drawn = np.random.default_rng(seed), []
        while len(drawn) < more:
            sizes = {name: int(generator.integers(1, 10)) for name in case.sizes[0]}
            if self._takes(case, sizes):
                drawn.append(sizes)
        return [*case.sizes[:1], *drawn, *case.sizes[1:]]

    def _takes(self, case: Case, sizes: Sizes) -> bool:
        try:
            jax.eval_shape(_set(self.op, case), *self._drawn(sizes))
        except ValueError:
            return False
        return True

    def _subject(self, op: Function, place: int) -> Subject:
        subject = Subject(op, self._reference(place), self._arguments, **self.traits)
        return subject if place == 0 else dataclasses.replace(subject, kinks=())

    @functools.cache  # noqa: B019  entries live as long as the program
    def _reference(self, place: int) -> Function:
        """One function a case, so that what is compiled for it serves every fault."""
        return _set(self.reference, self.cases[place])


def _set(function: Function, case: Case) -> Function:
    return functools.partial(function, **case.static) if case.static else function
