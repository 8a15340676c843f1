"""Activations as layers."""

import dataclasses
import math
from typing import ClassVar

from ffnn_jax._base_config import require, require_number
from ffnn_jax._errors import UserError
from ffnn_jax.nn._operation import Operation
from ffnn_jax.nn._param import Constant, Param, Shape, Tree

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "GELUTanh", "GeGLU", "HardSigmoid", "HardSwish",
    "HardTanh", "LeakyReLU", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid",
    "Softplus", "Softsign", "SwiGLU", "Tanh",
]  # fmt: skip


class ReLU(Operation):
    """Rectified linear unit, equation (17)."""

    title: ClassVar[str] = "ReLU"
    operation: ClassVar[str] = "relu"


@dataclasses.dataclass(frozen=True)
class LeakyReLU(Operation):
    """Leaky rectified linear unit, with derivative ``slope`` where the input is not positive."""

    title: ClassVar[str] = "Leaky ReLU"
    operation: ClassVar[str] = "leaky_relu"
    slope: float = 0.01

    def __post_init__(self) -> None:
        """Rejects a slope outside [0, 1)."""
        require_number(self, "slope", 0, 1)


class Sigmoid(Operation):
    """Logistic sigmoid, equation (sigmoid.1)."""

    title: ClassVar[str] = "Sigmoid"
    operation: ClassVar[str] = "sigmoid"


@dataclasses.dataclass(frozen=True)
class ELU(Operation):
    """Exponential linear unit, which tends to -alpha; alpha is above 0."""

    operation: ClassVar[str] = "elu"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        """Rejects an alpha that is not above 0."""
        require_number(self, "alpha", 0, math.inf)
        require(self, "alpha", self.alpha > 0, "above 0")


class CELU(ELU):
    """Continuously differentiable exponential linear unit, which tends to -alpha."""

    operation: ClassVar[str] = "celu"


class PReLU(Operation):
    """Rectified linear unit with a learned slope per channel, which begins at 0.25."""

    operation: ClassVar[str] = "prelu"
    arrays: ClassVar[tuple[str, ...]] = ("slope",)

    def params(self, shape: Shape) -> Tree:
        """The slope (C), not decayed."""
        return {"slope": Param(shape[-1:], Constant(0.25), decayed=False)}


class _Gated(Operation):
    def output_shape(self, shape: Shape) -> Shape:
        """The last axis halved."""
        if not shape or shape[-1] % 2:
            raise UserError(f"{self}: needs an input whose last axis is even")
        return (*shape[:-1], shape[-1] // 2)


def _activation(name: str, operation: str, base: type[Operation] = Operation) -> type[Operation]:
    doc = f"Applies ``ffnn_jax.layers.{operation}``."
    return type(name, (base,), {"__doc__": doc, "__module__": __name__, "operation": operation})


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
GLU = _activation("GLU", "glu", _Gated)
SwiGLU = _activation("SwiGLU", "swiglu", _Gated)
GeGLU = _activation("GeGLU", "geglu", _Gated)
