"""Layers made of layers: a chain as one layer, and a chain with a shortcut around it."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import require
from ffnn_jax._errors import UserError
from ffnn_jax.nn import _chain
from ffnn_jax.nn._keys import folded
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Shape, Tree


class _Nested(Layer):
    """A layer whose parameters and state are those of its parts, each a chain of layers."""

    def params(self, shape: Shape) -> Tree:
        """By part and layer name."""
        found = {name: _chain.params_of(part, shape) for name, part in self.parts().items()}
        return {name: tree for name, tree in found.items() if tree}

    def state(self, shape: Shape) -> Tree:
        """By part and layer name."""
        found = {name: _chain.state_of(part, shape) for name, part in self.parts().items()}
        return {name: tree for name, tree in found.items() if tree}

    def _run(self, params: Tree, state: Tree, x: Any, training: bool, key: Any) -> tuple[Any, Any]:
        """The outputs of the parts, each applied to x, and the state after the batch."""
        outputs, after = [], {}
        for number, (name, part) in enumerate(self.parts().items()):
            given = params.get(name, {}), state.get(name, {})
            keys = folded(key, number)
            z, changed = _chain.apply(part, *given, x, training=training, key=keys)
            outputs.append(z)
            if name in state:
                after[name] = changed
        return outputs, after


@dataclasses.dataclass(frozen=True)
class Sequential(_Nested):
    """Layers one after another, as one layer."""

    title: ClassVar[str] = "Sequential"
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        """Rejects what is not a tuple of layers."""
        _require_layers(self, "layers", least=1)

    def parts(self) -> dict[str, tuple[Layer, ...]]:
        """The chain."""
        return {"layers": self.layers}

    def output_shape(self, shape: Shape) -> Shape:
        """That of the last layer."""
        return _chain.shapes_through(self.layers, shape)[-1]

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """What comes out of the last layer."""
        (z,), after = self._run(params, state, x, training, key)
        return z, after


@dataclasses.dataclass(frozen=True)
class Residual(_Nested):
    """The sum of two branches: the layers of ``body``, and those of ``shortcut`` around it.

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
        """That of both branches.

        Raises:
            UserError: the branches differ in shape.
        """
        body, shortcut = (_chain.shapes_through(part, shape)[-1] for part in self.parts().values())
        if body != shortcut:
            raise UserError(f"{self}: the body gives {body}, the shortcut {shortcut}")
        return body

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """The sum of what comes out of the branches."""
        from ffnn_jax.layers import add

        (body, shortcut), after = self._run(params, state, x, training, key)
        return add(shortcut, body), after


def _require_layers(layer: Layer, field: str, least: int) -> None:
    value = getattr(layer, field)
    holds = isinstance(value, tuple) and all(isinstance(one, Layer) for one in value)
    allowed = "a tuple of layers" if least == 0 else "a tuple of at least one layer"
    require(layer, field, holds and len(value) >= least, allowed)
