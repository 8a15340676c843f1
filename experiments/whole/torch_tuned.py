"""PyTorch tuned: tensors in memory, batches by index, channels last, one thread.

With two threads a step of 16 images was no faster on the machine of the stored results.
"""

# pyright: reportMissingImports=false

import numpy as np
import torch
from torch import nn

from experiments.peers.torch_ import model_of, optimizer_of
from experiments.whole._data import Part, load_task, print_accuracy


def main() -> None:
    """Trains, tests, prints the result."""
    task = load_task()
    layout = torch.channels_last
    model = model_of(task.workload).to(memory_format=layout)
    optimizer = optimizer_of(model, task.workload, task.settings.weight_decay)
    images, labels = _tensors(task.train)
    for _ in range(task.settings.steps):
        rows = torch.randint(len(labels), (task.settings.batch_size,))
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()
    images, labels = _tensors(task.test)
    with torch.inference_mode():
        scores = torch.cat([model(block) for block in images.split(100)])
    print_accuracy(float((scores.argmax(1) == labels).float().mean()))


def _tensors(part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(np.moveaxis(part.images, -1, 1))  # a view: channels last in memory
    return images, torch.from_numpy(part.labels).long()


if __name__ == "__main__":
    main()
