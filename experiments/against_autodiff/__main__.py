"""Every hand-derived rule against XLA's autodiff of the usual JAX forms, and PyTorch's time beside.

Ours: results/against_autodiff.md, from results/against_autodiff.json.
Time: about 12 minutes on 2 cores.
Command: python -m experiments.against_autodiff
Quick: python -m experiments.against_autodiff --quick, 3 rows with a batch of 2, to runs/quick.

A row is an operation at one size, forward with gradients: the value and every cotangent of a random
one. First all variants must agree in float32, to 1e-5 of the largest entry. Then ours, each JAX
form and PyTorch (of the extra "bench"; without it the column is empty) take turns in one process,
lap by lap. There is a process for one core and one for two; each times float32 and bfloat16, where
parameters are bfloat16, too. A form twice as slow as another in a first try is left out, except the
first, which is the most usual. On an accelerator there are no core counts and no PyTorch. Results
are stored row by row.
``--names max_pool`` repeats the rows whose titles contain this.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from typing import Any

import psutil

from experiments._machine import device_name, provenance, require_quiet
from experiments._results import folder_for, read_result, run_command, write_result
from experiments.against_autodiff._measure import Setting, measured
from experiments.against_autodiff._page import against_autodiff_page
from experiments.against_autodiff._rows import ROWS
from ffnn_jax._processor import bind_to, core_numbers
from ffnn_jax.config import UserError
from ffnn_jax.runs import device

_CORES = (1, 2)
_QUICK = ("max_pool, 3 × 3, stride 2", "relu", "softmax_cross_entropy, classes")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main(names: tuple[str, ...] = (), quick: bool = False) -> None:
    """Every hand-derived rule against XLA's autodiff.

    Args:
        names: parts of titles of rows to time again; without any, all rows.
        quick: smoke test: few rows with a tiny batch.

    Raises:
        UserError: other programs keep the machine busy, or variants of a row do not agree.
    """
    if not quick:
        require_quiet()
    where = device()
    on_cpu = where["platform"] == "cpu"
    stem = "against_autodiff" if on_cpu else f"against_autodiff-{device_name()}"
    path = folder_for(quick) / f"{stem}.json"
    rows = read_result(path)["rows"] if names and path.exists() else {}
    setting = Setting(seconds=0, least=2, batch=2) if quick else Setting()
    counts = _CORES[:1] if quick else _CORES
    cores = [count for count in counts if on_cpu and count <= len(core_numbers())]
    for title, times in timed(chosen(names, quick), cores, setting):
        rows.setdefault(title, facts(title))["times"].update(times)
        about = {**provenance(quick), "processor": where["processor"], "on": where["kind"]}
        write_result(path, {**about, "load": psutil.getloadavg()[0], "rows": rows})
        print(title, times, flush=True)
    page = against_autodiff_page(read_result(path))
    path.with_suffix(".md").write_text(page, encoding="utf-8")


def chosen(names: Sequence[str], quick: bool) -> list[str]:
    """The titles of the rows to time.

    Raises:
        UserError: no title contains any of the names.
    """
    titles = [t for t in ROWS if not names or any(name in t for name in names)]
    if not titles:
        raise UserError(f"no row is named {' or '.join(names)}")
    return [title for title in titles if title in _QUICK or not quick]


def facts(title: str) -> dict[str, Any]:
    """What is stored of a row beside its times."""
    row = ROWS[title]
    return {"operation": row.name, "shapes": row.shapes, "times": {}}


def timed(
    titles: Sequence[str], cores: Sequence[int], setting: Setting
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Titles with times by number of cores, which are a process each; an accelerator needs none."""
    if not cores:
        yield from ((title, {"all": measured(title, setting)}) for title in titles)
        return
    spawn, pools = multiprocessing.get_context("spawn"), {}
    with contextlib.ExitStack() as stack:
        for count in cores:
            with bound_to(core_numbers()[:count]):
                name = f"{count} core{'s' if count > 1 else ''}"
                pools[name] = stack.enter_context(spawn.Pool(1))
        for title in titles:
            job = title, setting
            yield title, {name: pool.apply(measured, job) for name, pool in pools.items()}


@contextlib.contextmanager
def bound_to(cores: Sequence[int]) -> Iterator[None]:
    """What is started here uses these cores alone, with a thread each."""
    before, threads = core_numbers(), {name: os.environ.get(name) for name in _THREADS}
    bind_to(cores)
    os.environ.update(dict.fromkeys(_THREADS, str(len(cores))))
    try:
        yield
    finally:
        bind_to(before)
        for name, value in threads.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


if __name__ == "__main__":
    run_command(main)
