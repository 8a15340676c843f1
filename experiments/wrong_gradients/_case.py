"""A case of the benchmark: a rule, and whether it has a fault."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ffnn_jax.verify import Rule, Sizes


@dataclasses.dataclass(frozen=True)
class Case:
    """A rule, and whether it has a fault.

    Attributes:
        name: a name that no other case has.
        kind: a word or two: the family of functions, or the source.
        wrong: whether the rule has a fault.
        what: what the rule is, or what its fault is.
        rule: the operation, its reference and its arguments.
        witness: arguments at which the fault shows; None for a right rule and a planted fault.
        shows: how: in "vjp", "value", "primal" (which differs from the forward's output), "jvp",
            "second" (derivative), a dtype, "transform" (under jit, vmap or the like) or "kink".
        sizes: sets of sizes for the names in the arguments, instead of the checker's choice.
    """

    name: str
    kind: str
    wrong: bool
    what: str
    rule: Rule
    witness: tuple[Any, ...] | None = None
    shows: str = "vjp"
    sizes: Sequence[Sizes] = ()
