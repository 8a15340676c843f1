"""PyTorch trains a rung of the ladder: channels last, a thread per core, bfloat16 if asked.

The recipe, the initial weights and the batches are those of ``_rung``. Convolutions, normalisation,
the gradients and Nesterov's momentum are PyTorch's own; Muon, which it lacks, is written here.
"""

# pyright: reportMissingImports=false

import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from experiments.peers.torch_ import model_of
from experiments.whole._data import print_accuracy
from experiments.whole._rung import VIEWS, Batch, Rung, load_rung
from ffnn_jax._processor import core_numbers

_BLOCK = 500
_MUON_MOMENTUM, _MUON_POLYNOMIAL = 0.6, (3.4445, -4.775, 2.0315)


def main(*, narrow: bool) -> None:
    """Trains, tests, prints the result."""
    torch.set_num_threads(len(core_numbers()))
    rung = load_rung()
    training = _Training(rung, narrow)
    for step, batch in enumerate(rung.batches()):
        training.update(step, batch)
    print_accuracy(training.test_accuracy())


class _Training:
    def __init__(self, rung: Rung, narrow: bool) -> None:
        self._rung, self._narrow = rung, narrow
        self._model: Any = model_of(rung.workload()).to(memory_format=torch.channels_last)
        first, *_, factor = (part for part in self._model if list(part.parameters()))
        first.weight.requires_grad_(False)
        factor.factor.requires_grad_(False)
        self._first_bias = first.bias
        self._optimizer = self._make_optimizer()
        self._averages: dict[int, torch.Tensor] = {}
        self._images = torch.from_numpy(np.moveaxis(rung.images, -1, 1))
        self._labels = torch.from_numpy(rung.labels).long()
        self._scales = [torch.from_numpy(a)[:, None, None] for a in (rung.mean, rung.deviation)]

    def _make_optimizer(self) -> torch.optim.Optimizer:
        settings, rung = self._rung.settings, self._rung
        norms = [part for part in self._model if isinstance(part, nn.BatchNorm2d)]
        of_group = {id(part.bias): "norm" for part in norms} | {id(self._first_bias): "whitening"}
        others = [p for p in self._model.parameters() if p.requires_grad and p.dim() != 4]
        groups = []
        for name in ("", "norm", "whitening"):
            factor = rung.group_factor(name)
            params = [p for p in others if of_group.get(id(p), "") == name]
            decay = settings.weight_decay / factor
            groups.append({"params": params, "factor": factor, "weight_decay": decay})
        rate, mu = settings.learning_rate, settings.momentum
        return torch.optim.SGD(groups, rate, momentum=mu, nesterov=True)

    def update(self, step: int, batch: Batch) -> None:
        """One step on one batch."""
        rung = self._rung
        if step == rung.whitening_steps:
            self._first_bias.requires_grad_(False)
            self._first_bias.grad = None
        for group in self._optimizer.param_groups:
            group["lr"] = rung.settings.learning_rate * rung.factor(step) * group["factor"]
        self._model.train()
        smoothing = rung.settings.label_smoothing
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._narrow):
            logits = self._model(self._augmented(batch))
        labels = self._labels[batch.rows]
        nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing).backward()
        self._optimizer.step()
        self._muon(rung.settings.muon_rate * rung.factor(step))

    @torch.no_grad()
    def _muon(self, rate: float) -> None:
        """Kernels go along the nearest orthogonal matrix to their momentum."""
        kernels = [p for p in self._model.parameters() if p.dim() == 4 and p.requires_grad]
        for kernel in kernels:
            gradient: Any = kernel.grad
            average = self._averages.setdefault(id(kernel), torch.zeros_like(kernel))
            average.mul_(_MUON_MOMENTUM).add_(gradient)
            direction = _orthogonalised(gradient.add(average, alpha=_MUON_MOMENTUM))
            kernel.mul_(len(kernel) ** 0.5 / kernel.norm()).sub_(direction, alpha=rate)
            kernel.grad = None

    def _augmented(self, batch: Batch) -> torch.Tensor:
        pad = self._rung.padding
        x = nn.functional.pad(self._normalised(self._images[batch.rows]), (pad,) * 4, "reflect")
        size = self._images.shape[-1]
        rows, columns = (torch.from_numpy(o)[:, None] + torch.arange(size) for o in batch.offsets)
        mirrored = torch.from_numpy(batch.flipped).bool()[:, None]
        columns = torch.where(mirrored, columns.flip(1), columns)
        each = torch.arange(len(x))[:, None, None]
        x = x.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
        return x.permute(0, 3, 1, 2)

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        mean, deviation = self._scales
        return (pixels.float() - mean) / deviation

    @torch.inference_mode()
    def test_accuracy(self) -> float:
        """The share of test images whose views are classified correctly."""
        self._model.eval()
        images = torch.from_numpy(np.moveaxis(self._rung.test_images, -1, 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=self._narrow):
            scores = torch.cat([self._scores(block) for block in images.split(_BLOCK)])
        return float((scores.argmax(1) == torch.from_numpy(self._rung.test_labels)).float().mean())

    def _scores(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self._normalised(pixels).contiguous(memory_format=torch.channels_last)
        padded, size = nn.functional.pad(x, (1,) * 4, "reflect"), x.shape[-1]
        total = torch.zeros(())
        for first, weight in VIEWS.items():
            view = padded[:, :, first : first + size, first : first + size]
            total = total + weight / 2 * (self._model(view) + self._model(view.flip(3)))
        return total


def _orthogonalised(gradient: torch.Tensor) -> torch.Tensor:
    x = gradient.reshape(len(gradient), -1)
    tall = x.shape[0] > x.shape[1]
    x = (x.T if tall else x) / x.norm()
    a, b, c = _MUON_POLYNOMIAL
    for _ in range(3):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).reshape(gradient.shape)


if __name__ == "__main__":
    main(narrow="--bf16" in sys.argv)
