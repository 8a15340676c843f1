"""PyTorch: eager, with channels last, compiled, and in bfloat16 by autocast."""

# pyright: reportMissingImports=false

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from experiments.peers._workload import Arrays, Stepper, Workload
from ffnn_jax._processor import core_numbers
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Scale


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "torch[-last|-compiled]-THREADS", or of "torch-bf16" with a thread per core.

    Channels are last in all but "torch-THREADS".
    """
    words = variant.split("-")[1:]
    threads = next(filter(str.isdigit, words), len(core_numbers()))
    kind = next((word for word in words if not word.isdigit()), "")
    torch.set_num_threads(int(threads))
    return _Torch(workload, kind)


class _Torch:
    def __init__(self, workload: Workload, kind: str) -> None:
        layout = torch.channels_last if kind else torch.contiguous_format
        self._model = model_of(workload).to(memory_format=layout)
        self._optimizer = optimizer_of(self._model, workload)
        self._batches = [
            (_images(x).contiguous(memory_format=layout), torch.from_numpy(labels).long())
            for x, labels in workload.batches()
        ]
        self._narrow = kind == "bf16"
        self._loss = torch.compile(self._forward) if kind == "compiled" else self._forward

    def _forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._narrow):
            return nn.functional.cross_entropy(self._model(x), labels)

    def run(self) -> list[float]:
        """Runs one step after another."""
        losses = []
        for batch in self._batches:
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._loss(*batch)
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return [loss.item() for loss in losses]


def optimizer_of(
    model: nn.Module, workload: Workload, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """SGD with momentum whose step, at this rate and without dampening, is -alpha m of (24)."""
    rate = workload.alpha * (1 - workload.mu)
    return torch.optim.SGD(
        model.parameters(), rate, momentum=workload.mu, weight_decay=weight_decay
    )


def _images(x: np.ndarray) -> torch.Tensor:
    """Images with channels before height and width."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


class _Factor(nn.Module):
    def __init__(self, factor: np.ndarray) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.from_numpy(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


def model_of(workload: Workload) -> nn.Module:
    """The network built from torch layers, with the workload's weights."""
    layers = zip(workload.layers, workload.shapes(), strict=False)
    parts = zip(layers, workload.weights(), strict=True)
    return nn.Sequential(*(part for one, weights in parts for part in _parts(*one, weights)))


def _parts(layer: Layer, shape: tuple[int, ...], weights: Arrays) -> Iterator[nn.Module]:
    match layer:
        case Conv():
            padding = str(layer.padding).lower()
            part = nn.Conv2d(shape[-1], layer.filters, layer.size, padding=padding, bias=layer.bias)
            yield _with(part, weights["w"].transpose(3, 2, 0, 1), weights.get("b"))
        case BatchNorm():
            part = nn.BatchNorm2d(shape[-1], layer.eps, 1 - layer.momentum)
            part.weight.requires_grad_(False)  # the scale remains 1
            yield _with(part, np.ones(shape[-1], np.float32), weights["shift"])
        case ReLU():
            yield nn.ReLU()
        case GELU():
            yield nn.GELU()
        case MaxPool():
            yield nn.MaxPool2d(layer.window)
        case Dense():
            w = weights["w"]
            if len(shape) == 3:
                yield nn.Flatten()
                w = w.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(w.shape)
            part = nn.Linear(math.prod(shape), layer.units, bias=layer.bias)
            yield _with(part, w.T, weights.get("b"))
        case Scale():
            yield _Factor(weights["factor"])


def _with(
    part: nn.Conv2d | nn.Linear | nn.BatchNorm2d, w: np.ndarray, b: np.ndarray | None
) -> nn.Module:
    with torch.no_grad():
        part.weight.copy_(torch.from_numpy(np.ascontiguousarray(w)))
        if b is not None:
            part.bias.copy_(torch.from_numpy(b))  # type: ignore[union-attr]
    return part
