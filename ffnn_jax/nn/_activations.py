"""Activations as layers, and what else treats each value alone: scaling and dropout."""

import dataclasses
from typing import Annotated, Any

from ffnn_jax._base_config import Above0, Below1, Finite, Flag, number
from ffnn_jax.nn._layer import Layer, Operation, image_keys, require_input
from ffnn_jax.nn._param import Shape, Tree, channelwise

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Dropout", "GELUTanh", "GeGLU", "HardSigmoid",
    "HardSwish", "HardTanh", "LeakyReLU", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "Scale",
    "SiLU", "Sigmoid", "Softplus", "Softsign", "SwiGLU", "Tanh",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Operation, title="Leaky ReLU", operation="leaky_relu"):
    """Leaky rectified linear unit, with derivative ``slope`` where the input is not positive."""

    slope: Below1 = 0.01


@dataclasses.dataclass(frozen=True)
class ELU(Operation, title="ELU", operation="elu"):
    """Exponential linear unit, which tends to -alpha; alpha is above 0."""

    alpha: Above0 = 1.0


class CELU(ELU, title="CELU", operation="celu"):
    """Continuously differentiable exponential linear unit, which tends to -alpha."""


class PReLU(Operation, title="PReLU", operation="prelu", slope=0.25):
    """Rectified linear unit with a learned slope per channel, which begins at 0.25."""


class _Gated(Operation):
    def output_shape(self, shape: Shape) -> Shape:
        even = shape != () and shape[-1] % 2 == 0
        require_input(self, even, "needs an input whose last axis is even")
        return (*shape[:-1], shape[-1] // 2)


def _activation(name: str, operation: str, doc: str = "", base: Any = Operation) -> type[Layer]:
    applies = f"Applies ``ffnn_jax.layers.{operation}``."
    attributes = {"__doc__": doc or applies, "__module__": __name__}
    return type(name, (base,), attributes, title=name, operation=operation)


ReLU = _activation("ReLU", "relu", "Rectified linear unit, equation (17).")
Sigmoid = _activation("Sigmoid", "sigmoid", "Logistic sigmoid, equation (sigmoid.1).")
Tanh = _activation("Tanh", "tanh")
Softplus = _activation("Softplus", "softplus")
Softsign = _activation("Softsign", "softsign")
SiLU = _activation("SiLU", "silu")
GELU = _activation("GELU", "gelu")
GELUTanh = _activation("GELUTanh", "gelu_tanh")
Mish = _activation("Mish", "mish")
SELU = _activation("SELU", "selu")
ReLU6 = _activation("ReLU6", "relu6")
HardTanh = _activation("HardTanh", "hard_tanh")
HardSigmoid = _activation("HardSigmoid", "hard_sigmoid")
HardSwish = _activation("HardSwish", "hard_swish")
LogSoftmax = _activation("LogSoftmax", "log_softmax")
GLU = _activation("GLU", "glu", base=_Gated)
SwiGLU = _activation("SwiGLU", "swiglu", base=_Gated)
GeGLU = _activation("GeGLU", "geglu", base=_Gated)


@dataclasses.dataclass(frozen=True)
class Scale(Operation, title="Scaling", operation="scale"):
    """Multiplies by a learned factor, initialised to ``init``; if ``per_channel``, one for each.

    Equation (scale.1). Weight decay does not apply to the factor, nor training unless ``trained``.
    """

    init: Finite = 1.0
    per_channel: Flag = False
    trained: Flag = True

    def params(self, shape: Shape) -> Tree:
        params = channelwise(shape if self.per_channel else (), factor=self.init)
        return {n: dataclasses.replace(p, trained=self.trained) for n, p in params.items()}


@dataclasses.dataclass(frozen=True)
class Dropout(Layer):
    """Sets each value to 0 with probability ``rate`` in training, and scales up the others.

    A mask depends only on its image's key, so it is the same on every platform and however the
    batch is split. It is drawn here and applied by equation (dropout.1).
    """

    needs_key = True
    rate: Annotated[float, number("a number from 0 to 1", lambda x: 0 <= x <= 1)] = 0.5

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        if not training or self.rate == 0:
            return x, state
        if key is None:
            raise ValueError(f"{self}: training needs a key")
        import jax

        from ffnn_jax.layers import dropout

        keys = image_keys(key, len(x))
        mask = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.rate, x.shape[1:]))(keys)
        return dropout(x, mask, self.rate), state
