"""What a user states about an operation: its reference, its arguments and its properties."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax._errors import suggestion
from ffnn_jax.verify._arguments import Argument, Sizes, names_in, sample_sizes
from ffnn_jax.verify._result import CHECKS

Function = Callable[..., Any]
REDUCES = ("sum", "mean", "mixed")
DTYPES = ("float64", "float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class Static:
    """A static argument; only strings need it, other objects without a dtype are static anyway."""

    value: Any


@dataclasses.dataclass(frozen=True)
class Kink:
    """A point where the derivative is a convention.

    ``Kink("zero", (np.zeros(3),), dz, (0 * dz,))`` states that the derivative at 0 is 0.
    """

    name: str  # a description of the point
    args: tuple[Any, ...]
    cotangent: Any  # of the output
    expected: tuple[Any, ...]  # cotangents of the arguments that have one; None leaves one open
    value: Any = None  # where that is a convention too; by default the reference's
    rtol: float = 1e-12  # 0 requires equality


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Traits:
    """The known properties of an operation, which decide the checks; see ``check_vjp``, too.

    An output without the batch axis ``reduces`` over it: "sum" or "mean"; or "mixed" if examples
    depend on one another, so that the results of shards cannot be combined.
    """

    batch: str | None = None
    reduces: str = "sum"
    linear: tuple[int, ...] = ()  # arguments in which it is affine with the others fixed
    exact: bool = False  # whether it has sums and products only, so that integers do not round
    empty_batch: bool = False  # whether a batch of size 0 is defined
    kinks: tuple[Kink, ...] = ()
    backward: Function | None = None  # (args, dz) -> cotangents; None for an argument without one
    order: int = 2
    dtypes: tuple[str, ...] = DTYPES
    rtol: float | None = None
    skip: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Rule(Traits):
    """An operation with a gradient of its own, and everything that is stated about it.

    ``draw(generator, sizes)`` has a ``numpy.random.Generator`` and the sizes of the axis names; it
    may leave out the sizes. A field with an invalid value is a ValueError.
    """

    op: Function
    reference: Function | None = None
    arguments: tuple[Any, ...] = ()  # one description for each
    draw: Function | None = None
    sizes: Sequence[Sizes] | None = None
    name: str = ""  # for reports; by default the operation's

    def __post_init__(self) -> None:
        """Parses the descriptions, and rejects invalid fields."""
        given = (self.arguments,) if isinstance(self.arguments, str) else tuple(self.arguments)
        parsed = jax.tree.map(lambda a: Argument.parse(a) if isinstance(a, str) else a, given)
        object.__setattr__(self, "arguments", parsed)
        choices = ("reduces", (self.reduces,), REDUCES), ("dtypes", self.dtypes, DTYPES)
        for field, values, known in (*choices, ("skip", self.skip, CHECKS)):
            for value in values:
                require_choice(field, value, known)
        for complaint in self._complaints():
            raise ValueError(complaint)

    def _complaints(self) -> Iterator[str]:
        names, described = names_in(self.words), self.draw is None
        leading = {None, *(word.axes[0] for word in self.words if word.axes)}
        if self.order not in (1, 2):
            yield f"order must be 1 or 2, got {self.order!r}"
        if self.rtol is not None and not 0 < self.rtol < 1:
            yield f"rtol must be between 0 and 1, got {self.rtol!r}"
        if not self.dtypes or self.sizes in ((), []):
            yield "dtypes must name at least one dtype, and sizes at least one set"
        if described and not self.arguments:
            yield "a rule needs the shape of at least one argument, or draw="
        if described and not set(self.linear) <= {*range(len(self.arguments))}:
            yield f"linear has the indices of arguments, got {self.linear}"
        if described and self.batch not in leading:
            yield f"no argument begins with the batch axis {self.batch!r}"
        for sizes in self.sizes or ():
            if missing := [name for name in names if name not in sizes]:
                yield f"sizes: {dict(sizes)} lacks {', '.join(missing)}"

    @property
    def title(self) -> str:
        """The name for reports."""
        return self.name or name_of(self.op)

    @property
    def words(self) -> list[Argument]:
        """The arguments that are described by text."""
        return [leaf for leaf in jax.tree.leaves(self.arguments) if isinstance(leaf, Argument)]

    def sample_sizes(self, seed: int, count: int) -> list[Sizes]:
        """The sizes stated, or else sampled ones."""
        sampled = sample_sizes(self.words, self.batch, seed, count)
        return list(sampled if self.sizes is None else self.sizes)

    def draw_args(self, generator: np.random.Generator, sizes: Sizes, scales: Any = ()) -> Any:
        """All arguments, drawn at random; ``scales`` has one scale for each described argument."""
        if self.draw is not None:
            return _drawn(self.draw, generator, sizes)
        remaining = iter(scales or [1.0] * len(self.words))

        def value(leaf: Any) -> Any:
            is_word = isinstance(leaf, Argument)
            return leaf.draw(generator, sizes, next(remaining)) if is_word else leaf

        return jax.tree.map(value, self.arguments)


def _drawn(draw: Function, generator: np.random.Generator, sizes: Sizes) -> tuple[Any, ...]:
    """The arguments from a user's function, which may or may not take the sizes."""
    given = (generator, sizes)[: 2 if len(inspect.signature(draw).parameters) > 1 else 1]
    try:
        drawn = draw(*given)
    except Exception as error:
        raise ValueError(f"draw= raised {type(error).__name__}: {error}") from error
    if isinstance(drawn, (tuple, list)):
        return tuple(drawn)
    raise ValueError(f"draw= must return a tuple with all arguments, got a {type(drawn).__name__}")


def name_of(function: Any) -> str:
    """The name of a function, also inside a ``functools.partial``."""
    function = function.func if isinstance(function, functools.partial) else function
    return getattr(function, "__name__", type(function).__name__)


def argument_names(function: Any) -> tuple[str, ...]:
    """Names of a function's positional arguments, without ``*args``; () if it has no signature."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return tuple(p.name for p in parameters if p.kind in positional)


def require_choice(field: str, value: str, known: Sequence[str]) -> None:
    """Rejects a value that is not known, with the nearest one that is."""
    if value not in known:
        end = f"(known: {', '.join(known)}){suggestion(str(value), known)}"
        raise ValueError(f"{field}: unknown {value!r} {end}")
