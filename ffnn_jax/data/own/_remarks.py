"""What a person would want to hear about their data before a network learns from it."""

from collections.abc import Mapping, Sequence

import numpy as np

from ffnn_jax.data._slices import Slice

_FEW, _IMBALANCE = 10, 10
Names = Sequence[str] | None


def remarks(
    splits: Mapping[str, Slice],
    labels: np.ndarray,
    class_names: Sequence[str],
    contents: Sequence[bytes],
    files: Names,
) -> list[str]:
    """Remarks on the numbers of images, and on images that occur more than once.

    Args:
        splits: where each split is among the images.
        labels: the class of each image.
        class_names: the name of each class.
        contents: a digest of each image.
        files: the file of each image, if it has one of its own.
    """
    counts = {
        split: np.bincount(labels[part.start : part.stop], minlength=len(class_names))
        for split, part in splits.items()
    }
    return [*_on_counts(counts, class_names), *_on_copies(splits, labels, contents, files)]


def _on_counts(counts: Mapping[str, np.ndarray], class_names: Sequence[str]) -> list[str]:
    train, lines = counts["train"].tolist(), []
    fewest, most = train.index(min(train)), train.index(max(train))
    if len(class_names) == 1:
        lines.append(f"one class alone, {class_names[0]}: there is nothing to tell apart")
    if few := sum(count < _FEW for count in train):
        example = f"{class_names[fewest]}: {train[fewest]}"
        has = f"{few} of {len(train)} classes have fewer than {_FEW} training images ({example})"
        lines.append(f"few images: {has}")
    if train[most] > _IMBALANCE * max(train[fewest], 1):
        ends = (f"{train[k]:,} training images of {class_names[k]}" for k in (most, fewest))
        lines.append(f"imbalance: {', '.join(ends)}; accuracy favours the frequent classes")
    for split, of_split in counts.items():
        rows = zip(class_names, of_split, train, strict=True)
        absent = [name for name, count, trained in rows if trained and not count]
        if absent:
            more = ", ..." if len(absent) > 3 else ""
            lines.append(f"{split} has no image of {', '.join(absent[:3])}{more}")
    return lines


def _on_copies(
    splits: Mapping[str, Slice], labels: np.ndarray, contents: Sequence[bytes], files: Names
) -> list[str]:
    """The same image in training and elsewhere, and in two classes."""
    train, first = splits["train"], {}
    for row in range(train.start, train.stop):
        first.setdefault(contents[row], row)
    lines = []
    for split, part in splits.items():
        pairs = _copies(range(part.start, part.stop), contents, first)
        if split != "train" and pairs:
            also = f"{len(pairs):,} ({_example(pairs[0], files)})"
            lines.append(f"{split} has images that are in train, too: {also}")
        pairs = [(one, other) for one, other in pairs if labels[one] != labels[other]]
        if pairs:
            also = f"{len(pairs):,} ({_example(pairs[0], files)})"
            lines.append(f"{split} has images that have another label in train: {also}")
    return lines


def _copies(
    rows: range, contents: Sequence[bytes], first: Mapping[bytes, int]
) -> list[tuple[int, int]]:
    """The rows whose content occurs in training, each with the first that has it."""
    found = ((row, first.get(contents[row], row)) for row in rows)
    return [(row, other) for row, other in found if row != other]


def _example(pair: tuple[int, int], files: Names) -> str:
    return " = ".join(files[row] if files is not None else f"image {row}" for row in pair)
