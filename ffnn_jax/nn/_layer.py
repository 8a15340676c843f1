"""The layer contract, layers that are one operation, and keys. This module does not import jax."""

import dataclasses
import inspect
from typing import Any, ClassVar

from ffnn_jax._base_config import BaseConfig
from ffnn_jax._errors import UserError
from ffnn_jax.nn._param import Shape, Tree, channelwise

__all__ = ["Layer", "image_keys"]


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
        """The shape of one output, given that of one input; a UserError rejects a misfit."""
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
        """The output for the batch x, in its dtype, and the state after it.

        Parameters and state are by name; the returned state has the same names, shapes and dtypes.
        ``training`` is False in prediction. In training, a layer that ``needs_key`` gets one key
        per image, derived from (seed, step, layer, position in the batch): if it uses each key for
        that image alone, it draws the same numbers however the batch is split.
        """
        return self(params, x), state

    def __call__(self, params: Tree, x: Any) -> Any:
        """The output for a batch, for a layer that uses no state, mode or key."""
        raise TypeError(f"{self}: a layer must define apply or __call__(params, x)")


class Operation(Layer):
    """A layer that is the function of ``ffnn_jax.layers`` whose name is ``operation``.

    Each argument after x is the layer's parameter of that name, or else its setting of that name.
    Parameters have an entry per channel, initially that of ``initial``.
    """

    operation: ClassVar[str] = ""
    initial: ClassVar[dict[str, float]] = {}

    def __init_subclass__(cls, title: str = "", operation: str = "", **initial: float) -> None:
        """Keywords of the class statement say what is not inherited: others are ``initial``."""
        cls.title, cls.operation = title or cls.title, operation or cls.operation
        cls.initial = initial or cls.initial

    def params(self, shape: Shape) -> Tree:
        return channelwise(shape, "", **self.initial)

    def __call__(self, params: Tree, x: Any) -> Any:
        from ffnn_jax import layers

        operation = getattr(layers, self.operation)
        _, *names = inspect.signature(operation).parameters
        return operation(x, *(params[n] if n in params else getattr(self, n) for n in names))


def require_input(layer: Layer, holds: bool, message: str) -> None:
    """Rejects the layer's input with a UserError unless ``holds``."""
    if not holds:
        raise UserError(f"{layer}: {message}")


def image_shape(layer: Layer, shape: Shape, axes: tuple[str, ...] = ("height", "width")) -> Shape:
    """The shape, rejected with a UserError unless it has these axes, then channels."""
    kind = "an image" if len(axes) == 2 else "a sequence"
    message = f"needs {kind} ({', '.join(axes)}, channels)"
    require_input(layer, len(shape) == len(axes) + 1, message)
    return shape


def image_keys(key: Any, count: int) -> Any:
    """One key per position in the batch; keys that are already one per image are unchanged."""
    import jax

    if not jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    if key.ndim:
        return key
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jax.numpy.arange(count, dtype="uint32"))


def layer_keys(keys: Any, number: int) -> Any:
    """Each image's key for the layer of this number; None without keys."""
    import jax

    return None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, number)
