"""PyTorch as in its tutorial: a DataLoader with two workers, eager steps."""

# pyright: reportMissingImports=false

import itertools

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from experiments.peers.torch_ import model_of, optimizer_of
from experiments.whole._data import Part, load_task, print_accuracy


def main() -> None:
    """Trains, tests, prints the result."""
    task = load_task()
    model = model_of(task.workload)
    optimizer = optimizer_of(model, task.workload, task.settings.weight_decay)
    loader = _loader(task.train, task.settings.batch_size, shuffle=True)
    batches = itertools.chain.from_iterable(loader for _ in itertools.count())
    for images, labels in itertools.islice(batches, task.settings.steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    correct = 0
    with torch.no_grad():
        for images, labels in _loader(task.test, 100, shuffle=False):
            correct += int((model(images).argmax(1) == labels).sum())
    print_accuracy(correct / len(task.test.labels))


def _loader(part: Part, batch: int, shuffle: bool) -> DataLoader:
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(part.images, -1, 1)))
    data = TensorDataset(images, torch.from_numpy(part.labels).long())
    return DataLoader(
        data, batch, shuffle=shuffle, num_workers=2, persistent_workers=shuffle, drop_last=shuffle
    )


if __name__ == "__main__":
    main()
