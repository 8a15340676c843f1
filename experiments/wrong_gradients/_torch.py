"""``torch.autograd.gradcheck`` of an operation of jax: needs torch."""

# pyright: reportMissingImports=false

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.autograd import Function, gradcheck
from torch.autograd.function import once_differentiable

from experiments.wrong_gradients._example import Example, compiled


def torch_gradcheck(example: Example) -> None:
    """``torch.autograd.gradcheck`` with its defaults."""
    gradcheck(_operation(example), [_tensor(x).requires_grad_() for x in example.arrays])


def _operation(example: Example) -> Any:
    value = example.compiled

    def cotangents(arrays: Any, dz: Any) -> Any:
        return jax.vjp(example.function, *arrays)[1](dz)

    zeros = tuple(jnp.zeros_like(z) for z in value(*example.arrays))
    pull = compiled(cotangents, example.arrays, zeros)

    class Operation(Function):
        @staticmethod
        def forward(ctx: Any, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            ctx.save_for_backward(*inputs)
            return tuple(map(_tensor, value(*map(_array, inputs))))

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, *dz: torch.Tensor) -> tuple[torch.Tensor, ...]:
            # torch conjugates a complex cotangent; jax does not
            arrays = tuple(map(_array, ctx.saved_tensors))
            pulled = pull(arrays, tuple(_array(d.conj()) for d in dz))
            return tuple(_tensor(d).conj().resolve_conj() for d in pulled)

    return Operation.apply


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def _array(tensor: torch.Tensor) -> Any:
    return jnp.asarray(tensor.detach().resolve_conj().numpy())
