"""The subject of the checks: an operation, its reference implementation and its traits."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Argument, Sizes

Function = Callable[..., Any]
Arrays = Sequence[np.ndarray]
REDUCES = ("sum", "mean", "mixed")


@dataclasses.dataclass(frozen=True)
class Kink:
    """A point where the derivative is a convention.

    ``Kink("zero", (np.zeros(3),), dz, (0 * dz,))`` states that the derivative at 0 is 0.

    Attributes:
        name: a description of the point.
        args: the arguments at the point.
        cotangent: the cotangent of the output.
        expected: the cotangents of the real arguments under the convention; None for one that it
            leaves open.
    """

    name: str
    args: tuple[Any, ...]
    cotangent: Any
    expected: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Traits:
    """The known properties of an operation, which decide the checks that apply to it.

    Attributes:
        batch: the name of the batch axis, which comes first in every argument that has it.
        reduces: how an output without the batch axis reduces over it: "sum" or "mean"; or "mixed"
            if examples of the batch depend on one another, so that the results of shards
            cannot be combined and "shard_map" is not checked.
        linear: indices of arguments in which the operation is affine with the others fixed.
        exact: whether the operation consists of sums and products only, so that integers
            give integers and nothing rounds.
        empty_batch: whether a batch of size 0 is defined.
        kinks: points where the derivative is a convention.
    """

    batch: str | None = None
    reduces: str = "sum"
    linear: tuple[int, ...] = ()
    exact: bool = False
    empty_batch: bool = False
    kinks: tuple[Kink, ...] = ()

    @property
    def traits(self) -> dict[str, Any]:
        """The traits by name, as keyword arguments."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Traits)}


@dataclasses.dataclass(frozen=True, eq=False)
class Subject(Traits):
    """An operation and its reference implementation.

    Attributes:
        op: the differentiable function.
        reference: its reference implementation, differentiated by autodiff.
        arguments: the arguments of both.
    """

    op: Function
    reference: Function
    arguments: tuple[Argument, ...]

    @property
    def reals(self) -> tuple[int, ...]:
        """Indices of the arguments that have cotangents."""
        return tuple(i for i, argument in enumerate(self.arguments) if argument.is_real)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the arguments, from the operation's signature or else the reference's."""
        for function in (self.op, self.reference):
            names = argument_names(function)
            if len(names) >= len(self.arguments):
                return names[: len(self.arguments)]
        return tuple(f"arg{i}" for i in range(len(self.arguments)))

    @property
    def cotangent_names(self) -> tuple[str, ...]:
        """Names of the cotangents."""
        return tuple(f"d{self.names[i]}" for i in self.reals)

    @functools.cached_property
    def pull(self) -> Function:
        """The compiled op as (args, cotangent) -> (value, cotangents of the real arguments)."""
        return jax.jit(functools.partial(value_and_cotangents, self.op, self.reals))

    @functools.cached_property
    def reference_pull(self) -> Function:
        """The same for the reference, by autodiff; compiled once for all subjects that share it."""
        return _compiled_pull(self.reference, self.reals)

    @functools.cached_property
    def value(self) -> Function:
        """The compiled operation, without its derivative."""
        return jax.jit(self.op)

    def draw(self, generator: np.random.Generator, sizes: Sizes) -> list[np.ndarray]:
        """Random arguments."""
        return [argument.draw(generator, sizes) for argument in self.arguments]

    def draw_cotangent(self, generator: np.random.Generator, args: Arrays) -> Any:
        """A random cotangent for the output."""
        output = jax.eval_shape(self.reference, *args)
        return jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), output)


def argument_names(function: Function) -> tuple[str, ...]:
    """Names of a function's positional arguments, without ``*args``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )


@functools.lru_cache(maxsize=256)
def _compiled_pull(f: Function, reals: tuple[int, ...]) -> Function:
    return jax.jit(functools.partial(value_and_cotangents, f, reals))


def value_and_cotangents(f: Function, reals: tuple[int, ...], args: Any, dz: Any) -> Any:
    """The value of f, and the cotangents of its real arguments given the cotangent dz."""

    def of_reals(*chosen: Any) -> Any:
        return f(*with_reals(args, reals, chosen))

    z, pull = jax.vjp(of_reals, *(args[i] for i in reals))
    return z, pull(dz)


def with_reals(args: Any, reals: tuple[int, ...], chosen: Any) -> list[Any]:
    """The arguments with the real ones replaced."""
    replaced = dict(zip(reals, chosen, strict=True))
    return [replaced.get(i, arg) for i, arg in enumerate(args)]
