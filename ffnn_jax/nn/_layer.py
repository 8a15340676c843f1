"""The layer contract: shapes, parameters, state and ``apply``. This module does not import jax."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import BaseConfig
from ffnn_jax._errors import UserError
from ffnn_jax.nn._param import Shape, Tree


@dataclasses.dataclass(frozen=True)
class Layer(BaseConfig):
    """Base class of all layers, custom ones included: a frozen dataclass of settings.

    A layer that uses no state, mode or key defines only ``__call__(params, x)``; any other defines
    ``apply``. The batch is the first axis of ``x`` and of the output.

    Attributes:
        title: name of the layer in tables; the class name if empty.
        mixes_batch: whether an output in training depends on other images of the batch. Then the
            batch is not split into micro-batches. In prediction no output may depend on others.
        needs_key: whether the layer draws random numbers in training; otherwise it gets no key.
            Both describe the layer itself: nested layers have their own.
    """

    title: ClassVar[str] = ""
    mixes_batch: ClassVar[bool] = False
    needs_key: ClassVar[bool] = False

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one output, given the shape of one input.

        Raises:
            UserError: the layer does not accept this shape.
        """
        return shape

    def params(self, shape: Shape) -> Tree:
        """The parameters by name, each a ``Param``, given the shape of one input."""
        return {}

    def state(self, shape: Shape) -> Tree:
        """Arrays carried from step to step: each a ``Param``, float32, never differentiated.

        ``apply`` is called once per step: the batch of a network with state is not split.
        """
        return {}

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds of the forward pass for one input; dW and dx each take the same number."""
        return 0

    def parts(self) -> dict[str, tuple["Layer", ...]]:
        """The chains of layers inside this one, by name."""
        return {}

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """The output for a batch, in the batch's dtype, and the state after it.

        Args:
            params: the parameters by name.
            state: the state by name; the returned state has the same names, shapes and dtypes.
            x: the batch.
            training: True in training, False in prediction.
            key: in training, if the layer ``needs_key``, one key per image, derived from (seed,
                step, layer, position in the batch); a layer that uses each image's key for that
                image alone draws the same numbers however the batch is split.
        """
        return self(params, x), state

    def __call__(self, params: Tree, x: Any) -> Any:
        """The output for a batch, for a layer that uses no state, mode or key."""
        raise TypeError(f"{self}: a layer must define apply or __call__(params, x)")


def image_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape, if it is an image's.

    Raises:
        UserError: it is not (height, width, channels).
    """
    if len(shape) != 3:
        raise UserError(f"{layer}: needs an image (height, width, channels)")
    return shape
