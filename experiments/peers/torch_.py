"""PyTorch: eager, with channels last, and compiled, each with one thread or one per core."""

# pyright: reportMissingImports=false

import math

import numpy as np
import torch
from torch import nn

from experiments.peers._workload import Stepper, Workload
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU


def make(workload: Workload, variant: str) -> Stepper:
    """The stepper of "torch[-last|-compiled]-THREADS"."""
    _, *kind, threads = variant.split("-")
    torch.set_num_threads(int(threads))
    return _Torch(workload, "".join(kind))


class _Torch:
    def __init__(self, workload: Workload, kind: str) -> None:
        layout = torch.channels_last if kind else torch.contiguous_format
        self._model = model_of(workload).to(memory_format=layout)
        self._optimizer = optimizer_of(self._model, workload)
        self._batches = [
            (_images(x).contiguous(memory_format=layout), torch.from_numpy(labels).long())
            for x, labels in workload.batches()
        ]
        self._loss = torch.compile(self._forward) if kind == "compiled" else self._forward

    def _forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
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


def model_of(workload: Workload) -> nn.Module:
    """The network built from torch layers, with the workload's weights."""
    remaining, parts = iter(workload.weights()), []
    for layer, shape in zip(workload.layers, workload.shapes(), strict=False):
        match layer:
            case Conv():
                w, b = next(remaining)
                part = nn.Conv2d(shape[-1], layer.filters, layer.size, padding="same")
                parts.append(_with(part, w.transpose(3, 2, 0, 1), b))
            case ReLU():
                parts.append(nn.ReLU())
            case MaxPool():
                parts.append(nn.MaxPool2d(layer.window))
            case Dense():
                w, b = next(remaining)
                if len(shape) == 3:
                    parts.append(nn.Flatten())
                    w = w.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(w.shape)
                parts.append(_with(nn.Linear(math.prod(shape), layer.units), w.T, b))
    return nn.Sequential(*parts)


def _with(part: nn.Conv2d | nn.Linear, w: np.ndarray, b: np.ndarray) -> nn.Module:
    with torch.no_grad():
        part.weight.copy_(torch.from_numpy(np.ascontiguousarray(w)))
        part.bias.copy_(torch.from_numpy(b))  # type: ignore[union-attr]
    return part
