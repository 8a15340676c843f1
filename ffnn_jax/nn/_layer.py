"""The contract of a layer: shapes, parameters, state and ``apply``. Importing it leaves jax out."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import BaseConfig
from ffnn_jax._errors import UserError
from ffnn_jax.nn._param import Shape, Tree


@dataclasses.dataclass(frozen=True)
class Layer(BaseConfig):
    """A layer: a frozen dataclass of settings, yours and the package's alike.

    A layer without state, mode or key defines ``__call__(params, x)`` alone; any other defines
    ``apply``. The batch comes first in ``x`` and in the output.

    Attributes:
        title: names the layer in tables; the type's name if empty.
        mixes_batch: whether an output in training depends on other images of the batch. Then the
            batch is not cut into micro-batches. In prediction no output may.
        needs_key: whether the layer draws in training; a layer that does not is given no key.
            Of both, layers inside this one speak for themselves.
    """

    title: ClassVar[str] = ""
    mixes_batch: ClassVar[bool] = False
    needs_key: ClassVar[bool] = False

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one output, given the shape of one input.

        Raises:
            UserError: the layer does not fit the input.
        """
        return shape

    def params(self, shape: Shape) -> Tree:
        """The parameters by name, each a ``Param``, given the shape of one input."""
        return {}

    def state(self, shape: Shape) -> Tree:
        """What is carried from step to step: each a ``Param``, float32, never differentiated.

        ``apply`` is called once a step: the batch of a network with state is not cut.
        """
        return {}

    def multiply_adds(self, shape: Shape) -> int:
        """Multiplications of forward for one input; dW and dx take as many again, each."""
        return 0

    def parts(self) -> dict[str, tuple["Layer", ...]]:
        """The layers inside this one, by the name of the chain that they form."""
        return {}

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """The output for a batch, in its dtype, and the state after it.

        Args:
            params: the parameters by name.
            state: the state by name; what is returned has the same names, shapes and dtypes.
            x: the batch.
            training: whether the batch is trained on.
            key: in training, if the layer ``needs_key``, a key for each image, a function of
                (seed, step, layer, position in the batch); a layer that draws for each image from
                its own key draws the same however the batch is cut.
        """
        return self(params, x), state

    def __call__(self, params: Tree, x: Any) -> Any:
        """The output for a batch of a layer without state, mode or key."""
        raise TypeError(f"{self}: a layer defines apply, or __call__(params, x)")


def image_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape, if it is that of an image.

    Raises:
        UserError: it is not (height, width, channels).
    """
    if len(shape) != 3:
        raise UserError(f"{layer}: needs an image (height, width, channels)")
    return shape
