"""A row of the table: an operation, its arguments, and other ways to write it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ffnn_jax.verify import Argument

Form = Callable[..., Any]
"""The operation as a function of the same arrays; its first output is compared and timed."""


@dataclasses.dataclass(frozen=True)
class Row:
    """An operation at one size.

    Attributes:
        operation: the ``jax.custom_vjp`` of ``ffnn_jax.layers``.
        arguments: its arrays, in the notation of ``ffnn_jax.verify.Argument``; N is the batch.
        forms: the usual ways to write it in JAX, by name.
        torch: it in PyTorch, a function of the module torch and of its tensors: images with
            channels first, kernels (C_out, C_in, KH, KW).
        batch: the batch.
        static: the static arguments.
        detail: what tells it from the operation's other rows.
    """

    operation: Any
    arguments: tuple[str, ...]
    forms: Mapping[str, Form]
    torch: Form | None
    batch: int = 0
    static: tuple[Any, ...] = ()
    detail: str = ""

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.__name__

    @property
    def title(self) -> str:
        """The operation's name and what tells this row from its others."""
        return f"{self.name}, {self.detail}" if self.detail else self.name

    @property
    def shapes(self) -> str:
        """The arguments' shapes, as in "64 × 31 × 31 × 64; 3 × 3"."""
        arguments = map(Argument.parse, self.arguments)
        shapes = (argument.shape({"N": self.batch}) for argument in arguments)
        return "; ".join(" × ".join(f"{size:,}" for size in shape) or "1" for shape in shapes)

    def draw(self, batch: int) -> list[np.ndarray]:
        """Random arguments."""
        generator = np.random.default_rng(0)
        arguments = map(Argument.parse, self.arguments)
        return [argument.draw(generator, {"N": batch}) for argument in arguments]

    def ours(self, *arrays: Any) -> Any:
        """The operation with its static arguments."""
        return self.operation(*arrays, *self.static)


def functional(name: str, **settings: Any) -> Form:
    """A function of ``torch.nn.functional``, with these settings."""
    return lambda torch, *tensors: getattr(torch.nn.functional, name)(*tensors, **settings)
