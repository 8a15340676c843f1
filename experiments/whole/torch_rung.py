"""PyTorch trains a rung of the ladder: channels last, a thread per core, bfloat16 if asked.

The recipe, the initial weights and the batches are those of ``_rung``. Convolutions, normalisation,
the gradients and Nesterov's momentum are PyTorch's own.
"""

# pyright: reportMissingImports=false

import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from experiments._machine import usable_cores
from experiments.peers.torch_ import model_of
from experiments.whole._data import print_accuracy
from experiments.whole._rung import VIEWS, Batch, Rung, load_rung

_BLOCK = 500


def main(*, narrow: bool) -> None:
    """Trains, tests, prints the result."""
    torch.set_num_threads(len(usable_cores()))
    rung = load_rung()
    training = _Training(rung, narrow)
    for step, batch in enumerate(rung.batches()):
        training.update(step, batch)
    print_accuracy(training.test_accuracy())


class _Training:
    def __init__(self, rung: Rung, narrow: bool) -> None:
        self._rung, self._narrow = rung, narrow
        self._model = model_of(rung.workload()).to(memory_format=torch.channels_last)
        first, *_, factor = (part for part in self._model if list(part.parameters()))
        first.weight.requires_grad_(False)
        factor.factor.requires_grad_(False)
        self._first_bias = first.bias
        self._optimizer = self._make_optimizer()
        self._images = torch.from_numpy(np.moveaxis(rung.images, -1, 1))
        self._labels = torch.from_numpy(rung.labels).long()
        self._scales = [torch.from_numpy(a)[:, None, None] for a in (rung.mean, rung.deviation)]
        self._fast = list(self._tensors())
        self._slow = [tensor.detach().clone() for tensor in self._fast]

    def _make_optimizer(self) -> torch.optim.Optimizer:
        settings, factor = self._rung.settings, self._rung.shift_factor
        trained = [p for p in self._model.parameters() if p.requires_grad]
        norms = [part for part in self._model if isinstance(part, nn.BatchNorm2d)]
        shifts = {id(part.bias) for part in norms}
        groups = [
            {"params": [p for p in trained if id(p) not in shifts], "factor": 1.0},
            {"params": [p for p in trained if id(p) in shifts], "factor": factor},
        ]
        for group in groups:
            group["weight_decay"] = settings.weight_decay / group["factor"]
        rate, mu = settings.learning_rate, settings.momentum
        return torch.optim.SGD(groups, rate, momentum=mu, nesterov=True)

    def update(self, step: int, batch: Batch) -> None:
        """One step on one batch."""
        rung = self._rung
        if step == rung.whitening_steps:
            self._first_bias.requires_grad_(False)
            self._first_bias.grad = None
        for group in self._optimizer.param_groups:
            group["lr"] = rung.rate(step) * group["factor"]
        self._model.train()
        smoothing = rung.settings.label_smoothing
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._narrow):
            logits = self._model(self._augmented(batch))
        labels = self._labels[batch.rows]
        nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing).backward()
        self._optimizer.step()
        if (share := rung.slow_share(step + 1)) is not None:
            self._meet(share)

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

    @torch.no_grad()
    def _meet(self, share: float) -> None:
        """Slow weights and running statistics come closer; the fast ones start again from them."""
        for slow, fast in zip(self._slow, self._fast, strict=True):
            slow.lerp_(fast, 1 - share)
            fast.copy_(slow)

    def _tensors(self) -> Iterator[torch.Tensor]:
        yield from (p for p in self._model.parameters() if p.requires_grad)
        yield from (b for b in self._model.buffers() if b.is_floating_point())

    @torch.inference_mode()
    def test_accuracy(self) -> float:
        """The share of test images whose views are classified correctly."""
        self._model.eval()
        images = torch.from_numpy(np.moveaxis(self._rung.test_images, -1, 1))
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


if __name__ == "__main__":
    main(narrow="--bf16" in sys.argv)
