"""Decoding a folder of one's own pictures into the cache, beside a loop with Pillow alone.

Command: python -m experiments.own_pictures
Quick: python -m experiments.own_pictures --quick, 20 pictures of each kind, results to runs/quick.

The pictures are CIFAR-10's as PNG, and ones of 500 x 375 pixels as JPEG, scaled to 32 x 32. The
loop opens, converts, crops and scales each picture, and keeps the arrays in memory; it writes,
checks and draws nothing. Both are timed in turn; the files are in the system's memory.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

from experiments._machine import provenance, require_quiet
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from ffnn_jax._processor import core_numbers
from ffnn_jax.data import load

_ROUNDS = 5
_KINDS = {"png": ("10,000 pictures of 32 x 32 as PNG", 10_000), "jpeg": ("1,000 as JPEG", 1_000)}


def main(quick: bool = False) -> None:
    """Decoding a folder of pictures.

    Args:
        quick: smoke test with a few pictures.
    """
    if not quick:
        require_quiet()
    rows = {kind: _row(kind, 20 if quick else count) for kind, (_, count) in _KINDS.items()}
    result = {**provenance(quick), "cores": len(core_numbers()), "rows": rows}
    write_result(folder_for(quick) / "own_pictures.json", result)
    print(own_pictures_line(result))


def own_pictures_line(result: Mapping[str, Any] | None = None) -> str:
    """The ratios, for the guide."""
    result = result or read_result(RESULTS / "own_pictures.json")
    png, jpeg = (result["rows"][kind] for kind in _KINDS)
    return (
        f"Decoding {png['pictures']:,} PNG files of 32 x 32 takes {png['ours']:.1f} s, "
        f"{png['ratio']:.2f} times a loop with Pillow alone; {jpeg['pictures']:,} JPEG files of "
        f"500 x 375 take {jpeg['ours']:.1f} s, {jpeg['ratio']:.2f} times ({result['device']}, "
        f"{result['cores']} cores; medians of {len(png['ratios'])} rounds in turn).\n"
    )


def _row(kind: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        pictures, size = Path(folder) / "pictures", None if kind == "png" else 32
        (_write_png if kind == "png" else _write_jpeg)(pictures, count)
        files = sorted(pictures.rglob("*.*"))
        times = [_seconds_of_both(pictures, files, size) for _ in range(_ROUNDS)]
    ours, loop = zip(*times, strict=True)
    ratios = [round(one / other, 3) for one, other in times]
    median = statistics.median
    return {"pictures": count, "ours": round(median(ours), 3), "loop": round(median(loop), 3),
            "ratios": ratios, "ratio": median(ratios)}  # fmt: skip


def _seconds_of_both(pictures: Path, files: list[Path], size: int | None) -> tuple[float, float]:
    cache = Path(tempfile.mkdtemp())
    with mock.patch("ffnn_jax.data.own._read.user_cache_path", lambda name: cache / name):
        ours = _seconds(lambda: load(str(pictures), "all", size=size))
    shutil.rmtree(cache)
    return ours, _seconds(lambda: np.stack([_decoded(file, size) for file in files]))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _decoded(file: Path, size: int | None) -> np.ndarray:
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    if size is not None:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _write_png(folder: Path, count: int) -> None:
    cifar10 = load("cifar10", f"train[:{count}]")
    for number, (pixels, label) in enumerate(zip(cifar10.images, cifar10.labels, strict=True)):
        path = folder / cifar10.class_names[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(path)


def _write_jpeg(folder: Path, count: int) -> None:
    for number, pixels in enumerate(load("cifar10", f"train[:{count}]").images):
        path = folder / str(number % 10) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        large = Image.fromarray(np.asarray(pixels)).resize((500, 375), Image.Resampling.BICUBIC)
        large.save(path, quality=90)


if __name__ == "__main__":
    run_command(main)
