"""An equation of a chapter as two functions, which algebra proves to be equal."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.proof import Proof, prove_equal


@dataclasses.dataclass(frozen=True, eq=False)
class Equation:
    """A tagged equation: its text, and what its two sides stand for.

    An equation of several parts has a tuple on each side. One with several equality signs has a
    tuple on the right alone, each of whose members is to equal the left side.

    Attributes:
        tag: the tag without brackets, as in "norm.5".
        text: the equation as the chapter's docstring has it, with single spaces.
        left: the truth as a function of the arguments: what the chapter's code computes, or the
            derivative of a plain definition by autodiff.
        right: what the text says, literally, as a function of the same arguments.
        arguments: one description per argument, as for ``prove_equal``, separated by spaces; ":" is
            a scalar.
        sizes: the size of each axis name, different where axes could be mistaken.
        within: a bound on the absolute values of the arguments.
    """

    tag: str
    text: str
    left: Callable[..., Any]
    right: Callable[..., Any]
    arguments: str
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    within: float | None = None

    def prove(self) -> Proof:
        """Proves that both sides are equal at these sizes.

        Raises:
            ValueError: the sides have different shapes.
        """
        arguments = self.arguments.split()
        return prove_equal(self._left, self.right, *arguments, sizes=self.sizes, within=self.within)

    def _left(self, *arrays: Array) -> Any:
        """The left side, once for each member of a tuple on the right."""
        left, right = self.left(*arrays), jax.eval_shape(self.right, *arrays)
        if isinstance(right, tuple) and not isinstance(left, tuple):
            left = (left,) * len(right)
        shapes = [[leaf.shape for leaf in jax.tree.leaves(side)] for side in (left, right)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"({self.tag}): the sides have shapes {shapes[0]} and {shapes[1]}")
        return left


def cotangent(function: Callable[..., Any], of: int = 0) -> Callable[..., Array]:
    """The function (arguments, dz) -> the cotangent of the argument ``of``, by autodiff."""

    def of_one(*given: Any) -> Array:
        *arguments, dz = given
        before, after = arguments[:of], arguments[of + 1 :]
        return jax.vjp(lambda one: function(*before, one, *after), arguments[of])[1](dz)[0]

    return of_one


def derivative(function: Callable[..., Any], of: int = 0) -> Callable[..., Array]:
    """The function arguments -> dz/dargument, with the axes of z first, by autodiff."""
    return jax.jacrev(function, of)


def slope(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The derivative of an elementwise function, by autodiff."""
    return lambda x: jax.vjp(function, x)[1](jnp.ones_like(x))[0]


def slope_by_code(op: Any, *static: float) -> Callable[[Array], Array]:
    """The slope that an elementwise operation uses: its backward, of a cotangent of ones."""
    return lambda x: op.bwd(*static, op.fwd(x, *static)[1], jnp.ones_like(x))[0]
