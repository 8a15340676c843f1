"""A row in PyTorch: eager, with images in either of its memory formats."""

# pyright: reportMissingImports=false

import importlib.util
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.against_autodiff._calls import Arrays, cotangent
from experiments.against_autodiff._row import Row
from ffnn_jax.verify import Argument

_SPINNING = 2e-3  # seconds that its threads may still occupy the cores


def torch_calls(row: Row, arrays: Arrays, dtype: str, threads: int) -> Mapping[str, "TorchCall"]:
    """A call for each memory format that makes a difference; none without PyTorch."""
    if row.torch is None or not importlib.util.find_spec("torch"):
        return {}
    import torch

    torch.set_num_threads(threads)
    formats = {"torch": torch.contiguous_format}
    if arrays[0].ndim == 4:
        formats["torch, channels last"] = torch.channels_last
    return {name: TorchCall(row, arrays, dtype, layout) for name, layout in formats.items()}


class TorchCall:
    """Value and cotangents by PyTorch's own gradients."""

    def __init__(self, row: Row, arrays: Arrays, dtype: str, layout: Any) -> None:
        """Converts the arrays."""
        import torch

        def tensor(array: np.ndarray, batched: bool) -> Any:
            converted = torch.from_numpy(channels_first(array, batched))
            if converted.is_floating_point():
                converted = converted.to(getattr(torch, dtype))
            only = layout if array.ndim == 4 else torch.contiguous_format
            return converted.contiguous(memory_format=only)

        self._torch, self._form = torch, row.torch
        self._batched = [Argument.parse(text).axes[:1] == ("N",) for text in row.arguments]
        pairs = zip(arrays, self._batched, strict=True)
        self._tensors = [tensor(array, batched) for array, batched in pairs]
        self._floating = [t.requires_grad_() for t in self._tensors if t.is_floating_point()]
        z = self._value().float()
        shape = channels_last(z.numpy(force=True), self._batched[0]).shape
        self._dz = tensor(cotangent(shape), self._batched[0])
        self.megabytes = None

    def __call__(self) -> Any:
        """Computes value and cotangents."""
        z = self._value()
        return z, self._torch.autograd.grad(z, self._floating, self._dz)

    def results(self) -> Arrays:
        """Value and cotangents as float64, channels last."""
        z, cotangents = self()
        floating = [t.is_floating_point() for t in self._tensors]
        batched = [b for b, real in zip(self._batched, floating, strict=True) if real]
        pairs = zip((z, *cotangents), (self._batched[0], *batched), strict=True)
        return [channels_last(t.detach().double().numpy(), first) for t, first in pairs]

    def rest(self) -> None:
        """Waits until its threads no longer spin."""
        time.sleep(_SPINNING)

    def _value(self) -> Any:
        assert self._form is not None
        return self._form(self._torch, *self._tensors)


def channels_first(array: np.ndarray, batched: bool) -> np.ndarray:
    """A batch with its channels as second axis, or a kernel as (C_out, C_in, KH, KW)."""
    if array.ndim < 3:
        return array
    return np.moveaxis(array, -1, 1) if batched else np.moveaxis(array, (-1, -2), (0, 1))


def channels_last(array: np.ndarray, batched: bool) -> np.ndarray:
    """The inverse of ``channels_first``."""
    if array.ndim < 3:
        return array
    return np.moveaxis(array, 1, -1) if batched else np.moveaxis(array, (0, 1), (-1, -2))
