"""Layers composed of layers: a chain as one layer, and a chain with a shortcut around it."""

import dataclasses
import functools
from typing import Annotated, Any

from ffnn_jax._base_config import Allowed
from ffnn_jax.nn import _chain
from ffnn_jax.nn._layer import Layer, require_input
from ffnn_jax.nn._param import Shape, Tree

__all__ = ["Residual", "Sequential"]


def _is_chain(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Layer) for item in value)


Chain = tuple[Layer, ...]
AnyChain = Annotated[Chain, Allowed("a tuple of layers", _is_chain)]
NonEmpty = Annotated[
    Chain, Allowed("a tuple of at least one layer", lambda v: _is_chain(v) and v != ())
]


class _Branches(Layer):
    """The sum of branches, which are its fields: chains of layers, each applied to the input."""

    def parts(self) -> dict[str, Chain]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def output_shape(self, shape: Shape) -> Shape:
        body, *others = (_chain.shapes_through(part, shape)[-1] for part in self.parts().values())
        for shortcut in others:
            message = f"the body's output shape is {body}, the shortcut's {shortcut}"
            require_input(self, body == shortcut, message)
        return body

    def params(self, shape: Shape) -> Tree:
        trees = {name: _chain.params_of(part, shape) for name, part in self.parts().items()}
        return _chain.without_empty(trees)

    def state(self, shape: Shape) -> Tree:
        trees = {name: _chain.state_of(part, shape) for name, part in self.parts().items()}
        return _chain.without_empty(trees)

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        from ffnn_jax.layers import add

        outputs, after = [], {}
        for number, (name, part) in enumerate(self.parts().items()):
            mode = {"training": training, "key": _chain.layer_keys(key, number)}
            variables = params.get(name, {}), state.get(name, {})
            z, after[name] = _chain.apply(part, *variables, x, **mode)
            outputs.append(z)
        return functools.reduce(add, reversed(outputs)), {name: after[name] for name in state}


@dataclasses.dataclass(frozen=True)
class Sequential(_Branches):
    """A chain of layers as one layer."""

    title = "Sequential"
    layers: NonEmpty


@dataclasses.dataclass(frozen=True)
class Residual(_Branches):
    """The sum of ``body`` and the ``shortcut`` around it, equation (add.1); () is the identity."""

    title = "Residual"
    body: NonEmpty
    shortcut: AnyChain = ()
