"""An entry of the catalogue: everything needed to check an operation, and the ways to break it."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.catalogue._faults import Fault, Function
from ffnn_jax.catalogue._generic import generic_faults
from ffnn_jax.verify import Argument, Rule, Sizes, Traits

ELEMENTWISE: Sequence[Sizes] = ({"N": 3, "D": 4}, {"N": 1, "D": 6})
"""Sizes for elementwise operations on (N, D) arrays: more would repeat what these show."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One setting of an operation's static arguments, and the sizes to check it with.

    Attributes:
        sizes: sizes for the axis names, smallest first.
        static: the static arguments, in the order of the operation's signature.
        arguments: the array arguments, if they are not the entry's.
        reduces: the trait of this name, if it is not the entry's.
    """

    sizes: Sequence[Sizes]
    static: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    reduces: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class OpSpec(Traits):
    """An operation of ``ffnn_jax.layers``, its reference implementation and its properties.

    Attributes:
        op: the ``jax.custom_vjp``; its name, forward and backward are read from it.
        reference: a textbook implementation, differentiated by autodiff, which shares no code
            with the layer.
        arguments: the array arguments, in the notation of ``ffnn_jax.verify.Argument``.
        cases: settings and sizes to check it with; the kinks belong to the first case.
        faults: the planted faults specific to it; the generic ones are added automatically.
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
        """The generic faults, then the specific ones; a specific fault replaces its namesake."""
        specific = {fault.name for fault in self.faults}
        arguments = self.arguments_of(self.cases[0])
        generic = generic_faults(self, arguments, self.op, self.op.bwd, self._residuals())
        return (*(fault for fault in generic if fault.name not in specific), *self.faults)

    def rules(self, more: int = 0, seed: int = 0) -> list[tuple[Rule, Sequence[Sizes]]]:
        """The operation in every case; only the first has kinks.

        Args:
            more: number of random sets of sizes to insert after the first of each case.
            seed: seed of the random sizes.
        """
        return [
            (self._rule(_bind(self.op, case), index), self._sizes(case, more, seed + index))
            for index, case in enumerate(self.cases)
        ]

    def planted(self, fault: Fault) -> tuple[Rule, Sequence[Sizes]]:
        """The operation with a planted fault, and the sizes to check it with."""
        case = self.cases[fault.case]
        forward = _bind(fault.forward or self.op.fwd, case)
        backward = functools.partial(fault.backward or self.op.bwd, *case.static.values())
        wrong = jax.custom_vjp(lambda *args: forward(*args)[0])
        wrong.defvjp(forward, backward)
        sizes = (case.sizes[0], case.sizes[-1]) if fault.many else case.sizes[:1]
        return self._rule(wrong, fault.case), sizes

    def arguments_of(self, case: Case) -> tuple[Argument, ...]:
        """The array arguments in this case."""
        return tuple(map(Argument.parse, case.arguments or self.arguments))

    def draw_arguments(self, case: Case, sizes: Sizes) -> list[np.ndarray]:
        """Values of the array arguments in this case, the same each time."""
        arguments = self.arguments_of(case)
        return [argument.draw(np.random.default_rng(0), sizes) for argument in arguments]

    def _residuals(self) -> Any:
        """Shapes and dtypes of the residuals in the first case."""
        case = self.cases[0]
        drawn = self.draw_arguments(case, case.sizes[0])
        return jax.eval_shape(_bind(self.op.fwd, case), *drawn)[1]

    def _sizes(self, case: Case, more: int, seed: int) -> Sequence[Sizes]:
        """The case's sizes, and random ones that the operation accepts."""
        generator, random_sizes = np.random.default_rng(seed), []
        while len(random_sizes) < more:
            sizes = {name: int(generator.integers(1, 10)) for name in case.sizes[0]}
            if self._accepts(case, sizes):
                random_sizes.append(sizes)
        return [*case.sizes[:1], *random_sizes, *case.sizes[1:]]

    def _accepts(self, case: Case, sizes: Sizes) -> bool:
        try:
            jax.eval_shape(_bind(self.op, case), *self.draw_arguments(case, sizes))
        except ValueError:
            return False
        return True

    def _rule(self, op: Function, index: int) -> Rule:
        traits = {field.name: getattr(self, field.name) for field in dataclasses.fields(Traits)}
        case = self.cases[index]
        traits |= {"reduces": case.reduces or self.reduces} | ({"kinks": ()} if index else {})
        return Rule(op, self._reference(index), self.arguments_of(case), **traits)

    @functools.cache  # noqa: B019  entries live as long as the process
    def _reference(self, index: int) -> Function:
        """One function per case, so that its compilation is shared by all faults."""
        return _bind(self.reference, self.cases[index])


def _bind(function: Function, case: Case) -> Function:
    return functools.partial(function, **case.static) if case.static else function
