"""Decodes pictures on all cores, block by block, into images of one size."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat

from ffnn_jax._processor import usable_cores
from ffnn_jax.config import UserError
from ffnn_jax.data.own._decode import Picture, Size, decode_chunk
from ffnn_jax.data.own._workers import Workers

_CHUNK = 32  # pictures a task: enough that its overhead does not show
_CHUNKS_PER_BLOCK = 16
_BLOCK_BYTES = 64 << 20
_MANY, _SMALL = 4000, 128 * 128


def picture_blocks(
    files: Sequence[str], size: int | None, tell: Callable[[int], object]
) -> Iterator[list[Picture]]:
    """The pictures in order, decoded on all cores by threads or, many small ones, by processes.

    Raises:
        UserError: no size is given, and the pictures are not of one size.
    """
    first, start, cores = None, 0, usable_cores()
    decode, workers = decode_chunk, Workers()
    with (
        warnings.catch_warnings(action="ignore"), contextlib.closing(workers),
        ThreadPoolExecutor(cores) as pool,
    ):  # fmt: skip
        while start < len(files):
            block = files[start : start + _block_length(size, first and first[1], cores)]
            step = min(-(-len(block) // cores), _CHUNK)
            chunks = [block[i : i + step] for i in range(0, len(block), step)]
            decoded = list(chain.from_iterable(pool.map(decode, chunks, repeat(size))))
            if size is None:
                first = _require_one_size(block, decoded, first)
            if start == 0 and len(files) >= _MANY and _are_small(decoded):
                decode = workers
            start += len(block)
            tell(start)
            yield decoded


def _block_length(size: int | None, first: Size | None, cores: int) -> int:
    """As many pictures as fit into 64 MB, but one for each core and at most 512."""
    width, height = (size, size) if size is not None else first or (_BLOCK_BYTES, 1)
    return min(max(_BLOCK_BYTES // (3 * width * height), cores), _CHUNK * _CHUNKS_PER_BLOCK)


def _are_small(pictures: Sequence[Picture]) -> bool:
    """Whether most are so small that Python's own share of the work is large."""
    sizes = [picture.size for picture in pictures if picture.pixels is not None]
    return sum(width * height <= _SMALL for width, height in sizes) > len(pictures) / 2


def _require_one_size(
    files: Sequence[str], decoded: Sequence[Picture], first: tuple[str, Size] | None
) -> tuple[str, Size] | None:
    """Rejects a picture of another size than the first, which is returned."""
    for file, picture in zip(files, decoded, strict=True):
        if picture.pixels is None:
            continue
        first = first or (file, picture.size)
        if picture.size != first[1]:
            sizes = [f"{name} is {w} x {h}" for name, (w, h) in (first, (file, picture.size))]
            hint = "--size N (size=N) crops each to its middle square and scales it to N x N"
            raise UserError(f"pictures differ in size: {', '.join(sizes)}; {hint}")
    return first
