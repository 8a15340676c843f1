"""Layers composed of layers: a chain as one layer, and a chain with a shortcut around it."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import require
from ffnn_jax._errors import UserError
from ffnn_jax.nn import _chain
from ffnn_jax.nn._keys import fold_in
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Shape, Tree

__all__ = ["Residual", "Sequential"]


class _Nested(Layer):
    """A layer whose parameters and state are those of its parts, each a chain of layers."""

    def params(self, shape: Shape) -> Tree:
        """Parameters by part and layer name."""
        trees = {name: _chain.params_of(part, shape) for name, part in self.parts().items()}
        return {name: tree for name, tree in trees.items() if tree}

    def state(self, shape: Shape) -> Tree:
        """State by part and layer name."""
        trees = {name: _chain.state_of(part, shape) for name, part in self.parts().items()}
        return {name: tree for name, tree in trees.items() if tree}

    def _run(self, params: Tree, state: Tree, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        """The outputs of the parts, each applied to x, and the state after the batch."""
        outputs, after = [], {}
        for number, (name, part) in enumerate(self.parts().items()):
            variables = params.get(name, {}), state.get(name, {})
            keys = fold_in(key, number)
            z, changed = _chain.apply(part, *variables, x, training=training, key=keys)
            outputs.append(z)
            if name in state:
                after[name] = changed
        return outputs, after


@dataclasses.dataclass(frozen=True)
class Sequential(_Nested):
    """A chain of layers as one layer."""

    title: ClassVar[str] = "Sequential"
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        """Rejects anything but a tuple of layers."""
        _require_layers(self, "layers", least=1)

    def parts(self) -> dict[str, tuple[Layer, ...]]:
        """The chain."""
        return {"layers": self.layers}

    def output_shape(self, shape: Shape) -> Shape:
        """The output shape of the last layer."""
        return _chain.shapes_through(self.layers, shape)[-1]

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """The output of the last layer, and the state after the batch."""
        (z,), after = self._run(params, state, x, training, key)
        return z, after


@dataclasses.dataclass(frozen=True)
class Residual(_Nested):
    """The sum of two branches, ``body`` and the ``shortcut`` around it.

    A shortcut without layers is the identity. Equation (add.1).
    """

    title: ClassVar[str] = "Residual"
    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        """Rejects branches that are not tuples of layers."""
        _require_layers(self, "body", least=1)
        _require_layers(self, "shortcut", least=0)

    def parts(self) -> dict[str, tuple[Layer, ...]]:
        """Both branches."""
        return {"body": self.body, "shortcut": self.shortcut}

    def output_shape(self, shape: Shape) -> Shape:
        """The output shape of both branches.

        Raises:
            UserError: the branches differ in output shape.
        """
        body, shortcut = (_chain.shapes_through(part, shape)[-1] for part in self.parts().values())
        if body != shortcut:
            raise UserError(f"{self}: the body's output shape is {body}, the shortcut's {shortcut}")
        return body

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """The sum of the branches' outputs, and the state after the batch."""
        from ffnn_jax.layers import add

        (body, shortcut), after = self._run(params, state, x, training, key)
        return add(shortcut, body), after


def _require_layers(layer: Layer, field: str, least: int) -> None:
    value = getattr(layer, field)
    holds = isinstance(value, tuple) and all(isinstance(item, Layer) for item in value)
    allowed = "a tuple of layers" if least == 0 else "a tuple of at least one layer"
    require(layer, field, holds and len(value) >= least, allowed)
