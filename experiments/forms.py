"""Every form of a convolution, timed: where the tables of forms come from.

Command: python -m experiments.forms
Quick: python -m experiments.forms --quick, 1 convolution, results to runs/quick.

Times the convolutions of the report's networks, of "wide" and of the two networks for 94 %, in
float32 and bfloat16, each form of each of the three maps, inside a compiled loop. "usual" is what
shapes suggest (``layers/fast/_choice.py``). A table takes a form for a class where it is at least
1.1 times as fast as the usual one, as the geometric mean over the convolutions of that class.
"micro-batch" is timed likewise, by whole steps of 128 images of the report's networks. In the end
whole steps of the wide networks are timed as shapes suggest, and with this processor's table.

With ``--use``, runs on this machine take the table from now on, instead of the shipped one, until
its file, whose path is printed, is removed. A shipped table has fewer classes: those with which
whole steps, timed in the end, are faster.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
from rich.console import Console

from experiments._machine import device_name, provenance, require_quiet
from experiments._peak import peak_gflops
from experiments._results import folder_for, run_command, write_result
from experiments.peers import ours
from experiments.peers._workload import Workload
from ffnn_jax.config import UserError
from ffnn_jax.layers import conv2d_backward, conv2d_forward
from ffnn_jax.layers.fast import MICRO_BATCH, NAMES, Map, Table, class_of, compiler_options, forms
from ffnn_jax.runs import forms_here, timed_forms_path

_STEPS, _LAPS = 4, 5
_NETWORKS, _IMAGES, _MICRO_BATCHES = ("mnist", "cifar10-0", "cifar10-3"), 128, (16, 8, 32, 64)
WHOLE_STEP = "whole step"
_WIDE_NETWORKS = (("wide", 32), ("narrow94", 512), ("airbench94", 256))


class Convolution(NamedTuple):
    """A convolution of stride 1 with "SAME" padding, of square images and kernels."""

    images: int
    size: int
    kernel: int
    inputs: int
    outputs: int


CONVOLUTIONS = [
    Convolution(*sizes)
    for sizes in [
        (16, 28, 5, 1, 16), (16, 14, 5, 16, 16), (16, 32, 5, 3, 16), (16, 16, 5, 16, 16),
        (16, 8, 5, 16, 16), (16, 32, 3, 3, 64), (16, 16, 3, 64, 128), (16, 8, 3, 128, 256),
        (64, 32, 2, 3, 24), (64, 31, 3, 24, 16), (64, 31, 3, 24, 32), (64, 31, 3, 24, 64),
        (64, 15, 3, 16, 64), (64, 15, 3, 32, 32), (64, 15, 3, 64, 64), (64, 15, 3, 32, 128),
        (64, 15, 3, 64, 256), (64, 7, 3, 128, 128), (64, 7, 3, 256, 256), (64, 3, 3, 256, 256),
        (64, 3, 3, 512, 512),
    ]
]  # fmt: skip
_LEAST_GAIN = 1.1


def main(quick: bool = False, use: bool = False) -> None:
    """Times every form of the convolutions of this project's networks.

    Args:
        quick: smoke test: one convolution.
        use: whether runs on this machine take the resulting table from now on.
    """
    if quick and use:
        raise UserError("--use: a table needs all convolutions on a quiet machine, so not --quick")
    if not quick:
        require_quiet()
    path = folder_for(quick) / f"forms-{device_name()}.json"
    console, rows = Console(highlight=False, soft_wrap=True), list[dict[str, Any]]()
    about = {**provenance(quick), "peak_gflops": peak_gflops()}
    for convolution in CONVOLUTIONS[: 1 if quick else None]:
        for dtype in ("float32", "bfloat16"):
            rows += _rows(convolution, dtype)
            write_result(path, {**about, "rows": rows, "table": dict(fastest(rows))})
        console.print(f"{tuple(convolution)}: {_best_line(rows[-30:])}")
    for network in _NETWORKS[: 1 if quick else None]:
        rows += _micro_batch_rows(network)
        console.print(f"{network}: {_best_line(rows[-len(_MICRO_BATCHES) :])}")
    for network, images in () if quick else _WIDE_NETWORKS:
        rows += _whole_step_rows(network, images, forms_here() or fastest(rows))
        console.print(f"{network}, whole step: {_best_line(rows[-2:])}")
    write_result(path, {**about, "rows": rows, "table": dict(fastest(rows))})
    print(f"{len(rows)} rows in {path}")
    if use:
        timed_forms_path().parent.mkdir(parents=True, exist_ok=True)
        timed_forms_path().write_text(json.dumps(dict(fastest(rows))), encoding="utf-8")
        print(f"in use from now on: {timed_forms_path()}")


def fastest(rows: Iterable[dict[str, Any]]) -> Table:
    """The table that the rows give: each class for which another form is clearly faster."""
    gains: dict[str, dict[str, list[float]]] = {}
    for row in (row for row in rows if row["class"] != WHOLE_STEP):
        per_form = gains.setdefault(row["class"], {})
        per_form.setdefault(row["form"], []).append(math.log(row["ratio_to_usual"]))
    means = {
        name: {form: math.exp(sum(logs) / len(logs)) for form, logs in per_form.items()}
        for name, per_form in gains.items()
    }
    best = {name: max(mean, key=lambda form: mean[form]) for name, mean in means.items()}
    return tuple(
        (name, form) for name, form in sorted(best.items()) if means[name][form] >= _LEAST_GAIN
    )


def _rows(convolution: Convolution, dtype: str) -> list[dict[str, Any]]:
    """One row per map and form."""
    n, size, kernel, inputs, outputs = convolution
    flops, usual, rows = 2 * n * size**2 * kernel**2 * inputs * outputs, 0.0, []
    for name, form, seconds in timed_forms(convolution, dtype):
        usual = seconds if form == "usual" else usual
        rows.append({
            **convolution._asdict(), "dtype": dtype, "class": name, "form": form,
            "ms": float(f"{1e3 * seconds:.4g}"), "gflops": float(f"{flops / seconds / 1e9:.4g}"),
            "ratio_to_usual": float(f"{usual / seconds:.4g}"),
        })  # fmt: skip
    return rows


def timed_forms(shape: Convolution, dtype: str) -> Iterator[tuple[str, str, float]]:
    """Yields (class, form, seconds) of each map and form."""
    n, size, kernel, inputs, outputs = shape
    x, z = (jnp.ones((n, size, size, channels), dtype) for channels in (inputs, outputs))
    w = jnp.ones((kernel, kernel, inputs, outputs), dtype)
    for part in get_args(Map):
        name_of_class = class_of(part, w.shape, w.dtype)
        for name in ("usual", *NAMES):
            table = () if name == "usual" else ((name_of_class, name),)
            yield name_of_class, name, _seconds(part, table, x, w, z)


def _micro_batch_rows(network: str) -> list[dict[str, Any]]:
    """One row per size; the first is the usual one."""
    workload, rows = Workload(network, _IMAGES), list[dict[str, Any]]()
    for size in _MICRO_BATCHES:
        stepper = ours.make(workload, "ours", ((MICRO_BATCH, str(size)),))
        stepper.run()
        seconds = min(_lap(stepper.run) for _ in range(_LAPS)) / workload.steps
        ms = float(f"{1e3 * seconds:.4g}")
        rows.append({
            "network": network, "images": _IMAGES, "class": MICRO_BATCH, "form": str(size),
            "ms": ms, "ratio_to_usual": float(f"{(rows[0]['ms'] if rows else ms) / ms:.4g}"),
        })  # fmt: skip
    return rows


def _whole_step_rows(network: str, images: int, table: Table) -> Iterator[dict[str, Any]]:
    """One row per dtype for the forms that shapes suggest and for the table's, timed in turn."""
    workload = Workload(network, images)
    for dtype, variant in (("float32", "ours"), ("bfloat16", "ours-bf16")):
        tables = {"usual": (), "table": table}
        steppers = {name: ours.make(workload, variant, t) for name, t in tables.items()}
        for stepper in steppers.values():
            stepper.run()
        laps = [{name: _lap(one.run) for name, one in steppers.items()} for _ in range(_LAPS)]
        best = {name: min(lap[name] for lap in laps) / workload.steps for name in tables}
        for name, seconds in best.items():
            yield {
                "network": network, "images": images, "dtype": dtype, "class": WHOLE_STEP,
                "form": name, "ms": float(f"{1e3 * seconds:.4g}"),
                "ratio_to_usual": float(f"{best['usual'] / seconds:.4g}"),
            }  # fmt: skip


def _seconds(part: Map, table: Table, *arrays: Any) -> float:
    """Seconds of one map, inside a compiled loop that keeps the whole result of every step."""

    def compute(x: Any, w: Any, z: Any) -> Any:
        if part == "forward":
            return conv2d_forward(x, w, jnp.zeros_like(w[0, 0, 0]))[0]
        backward = conv2d_backward("SAME", 1, 1, 1, (x, w), z)
        return backward[0 if part == "images" else 1]

    def loop(*arrays: Any) -> Any:
        def step(last: Any, _: None) -> tuple[Any, None]:
            zero = (last.ravel()[0] * 0).astype(arrays[0].dtype)
            return compute(*(array + zero for array in arrays)), None

        with forms(table):
            like = jax.eval_shape(compute, *arrays)
            first = jnp.zeros(like.shape, like.dtype)
            return jax.lax.scan(step, first, None, length=_STEPS)[0]

    program = jax.jit(loop, compiler_options=compiler_options(table)).lower(*arrays).compile()
    program(*arrays).block_until_ready()
    return min(_lap(lambda: program(*arrays).block_until_ready()) for _ in range(_LAPS)) / _STEPS


def _lap(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _best_line(rows: list[dict[str, Any]]) -> str:
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        best[row["class"]] = min(best.get(row["class"], row), row, key=lambda one: one["ms"])
    return ", ".join(f"{name}: {row['form']} {row['ms']} ms" for name, row in best.items())


if __name__ == "__main__":
    run_command(main)
