"""What a run's folder costs with many classes: its figures, tables and page.

Claim: at most 10 s of a processor and 500 MB with 1,000 classes.
Time: 1 minute on 2 cores of an Intel Xeon.
Command: python -m experiments.many_classes
Quick: python -m experiments.many_classes --quick, 26 classes, results to runs/quick.

Nothing is trained. A network with its first weights stands for the model, and random probabilities,
of which the true class is the largest in seven of ten, for its answers on 10,000 test images. What
is measured is ``write_run``, which writes everything that a run leaves: the time that it takes in
a process of its own, by the clock and on the processor, and by how much it raises the peak of that
process's memory. ``many_classes_before.json`` was measured when the figures and the page showed
every pair of classes.
"""

import math
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments._machine import provenance
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from ffnn_jax.config import preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.models import Model
from ffnn_jax.network import Network, compute_normalisation
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU
from ffnn_jax.runs import RunResult, write_run
from ffnn_jax.training import Record, TrainingResult

BEFORE = RESULTS / "many_classes_before.json"
CLASSES = (10, 62, 100, 200, 1000)
_IMAGES, _SHAPE, _SHARE_RIGHT = 10_000, (28, 28, 1), 0.7


def main(quick: bool = False) -> None:
    """The time and memory that figures, tables and page take, by the number of classes.

    Args:
        quick: smoke test: 26 classes.
    """
    result = provenance(quick) | {"images": _IMAGES, "rows": {}}
    context = multiprocessing.get_context("spawn")
    for classes in (26,) if quick else CLASSES:
        with ProcessPoolExecutor(1, context) as process:
            result["rows"][classes] = process.submit(measure, classes).result()
    write_result(folder_for(quick) / "many_classes.json", result)
    print(table(result, read_result(BEFORE)))


def measure(classes: int) -> dict[str, float]:
    """Seconds and added peak memory of ``write_run``, and the size of the page."""
    result = synthetic_run(classes)
    with tempfile.TemporaryDirectory() as folder:
        before, began, busy = _peak_megabytes(), time.perf_counter(), time.process_time()
        write_run(folder, result)
        seconds, processor_seconds = time.perf_counter() - began, time.process_time() - busy
        page = (Path(folder) / "page.html").stat().st_size
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor_seconds, 2),
        "megabytes": round(_peak_megabytes() - before),
        "page_kilobytes": round(page / 1000),
    }


def synthetic_run(
    classes: int, shape: tuple[int, int, int] = _SHAPE, names: tuple[str, ...] = ()
) -> RunResult:
    """A run's result that nothing was trained for, with these or numbered class names."""
    generator = np.random.default_rng(0)
    labels = np.arange(_IMAGES, dtype=np.int32) % classes
    probabilities = generator.random((_IMAGES, classes), np.float32)
    right = generator.random(_IMAGES) < _SHARE_RIGHT
    probabilities[right, labels[right]] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = names or tuple(f"species {number}" for number in range(classes))
    images = generator.integers(0, 256, (_IMAGES, *shape), np.uint8)
    test = Dataset("synthetic/test", images, labels, names)
    network = Network((Conv(16, 5), ReLU(), MaxPool(2), Dense(classes)), shape)
    params, state = network.init(jax.random.key(0))
    model = Model(network, params, state, compute_normalisation([images[:100]], 1 / 255), names)
    history = [
        Record(0, step, 5 * math.exp(-step / 1000), 1 - math.exp(-step / 900), _SHARE_RIGHT)
        for step in range(50, 5001, 50)
    ]
    return RunResult(
        settings=preset("quickstart"),
        splits=Splits(test, None, test),
        devices=1,
        streaming=False,
        models=[model],
        trained=TrainingResult([params], [state], history, 4.0, 60.0),
        train_accuracy=[_SHARE_RIGHT],
        validation_accuracy=[_SHARE_RIGHT],
        test_probabilities=[probabilities],
    )


def table(result: dict[str, Any], before: dict[str, Any]) -> str:
    """The costs in Markdown, one line per number of classes; a dash where none was measured."""
    lines = [
        "| classes | processor, s | before | memory, MB | before | page, kB | before |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for classes, row in result["rows"].items():
        old = before["rows"].get(str(classes), {})
        cells = [
            f"{costs[name]:,.{digits}f}" if name in costs else "–"
            for name, digits in (("processor_seconds", 1), ("megabytes", 0), ("page_kilobytes", 0))
            for costs in (row, old)
        ]
        lines.append(f"| {int(classes):,} | {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def _peak_megabytes() -> float:
    """The largest memory that this process has held so far."""
    import resource  # Windows lacks it, and still reads the stored result

    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    run_command(main)
