"""A layer that is one operation of ``ffnn_jax.layers``, named rather than written out."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Tree


@dataclasses.dataclass(frozen=True)
class Operation(Layer):
    """Applies one operation to x and the parameters; the settings are its last arguments, in order.

    Attributes:
        operation: name of the function in ``ffnn_jax.layers``.
        arrays: names of the parameters, in the order of the function's arguments.
    """

    operation: ClassVar[str] = ""
    arrays: ClassVar[tuple[str, ...]] = ()

    def __call__(self, params: Tree, x: Any) -> Any:
        """The operation's output."""
        from ffnn_jax import layers

        settings = (getattr(self, field.name) for field in dataclasses.fields(self))
        return getattr(layers, self.operation)(x, *(params[n] for n in self.arrays), *settings)
