"""What can be said of pictures of several sizes before it is said what to make of them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ffnn_jax._picture_files import size_of
from ffnn_jax.data.own._read import source_of

_SHOWN = 5


def survey(path: Path) -> Iterator[str]:
    """The number of pictures of each class, in all splits, and the most frequent sizes.

    Raises:
        UserError: as ``read_own``, but for the pictures, of which headers alone are read.
    """
    _, names, _ = source = source_of(path)
    files, labels = map(np.concatenate, zip(*source.parts.values(), strict=True))
    counts = np.bincount(labels, minlength=len(names))
    yield from (f"{name:<12} {count:>8,}" for name, count in zip(names, counts, strict=True))
    found = Counter(filter(None, map(size_of, files)))
    sizes = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count:,} of {width} x {height}" for (width, height), count in sizes[:_SHOWN]]
    more = [f"and {len(sizes) - _SHOWN:,} more sizes"] * (len(sizes) > _SHOWN)
    yield f"sizes: {', '.join(shown + more)}"
