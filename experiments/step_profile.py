"""Where our training step spends its time: each layer's products and the rest, against the floor.

Command: python -m experiments.step_profile
Quick: python -m experiments.step_profile --quick, 1 network, 1 call, results to runs/quick.

Sums XLA's trace of every thread by layer and direction, for a batch of 16 (larger batches are split
into micro-batches of that size). Operations run concurrently, and most use both cores: the sum
exceeds the time of a step. A fused operation counts where its result belongs. The floor is the time
of a layer's products at the peak rate of large products.
"""

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from experiments._machine import device_name, provenance, require_quiet
from experiments._peak import peak_gflops
from experiments._results import folder_for, run_command, write_result
from experiments.peers import ours
from experiments.peers._workload import Workload
from ffnn_jax.network import Network

_NETWORKS, _BATCH, _CALLS = ("mnist", "cifar10-0", "cifar10-3"), 16, 20
_OPERATION = re.compile(r'%(?P<name>[\w.-]+) = .*? (?P<kind>[\w-]+)\(.*op_name="(?P<path>[^"]*)"')
_CONTAINERS = {"while", "call", "conditional"}
_SCOPE = re.compile(r"jvp\(([^()]+)\)")
_PRODUCTS = ("dot_general", "conv_general_dilated")
_OTHER = "loss, update"
Part = tuple[str, str, str]
"""A layer, "forward" or "backward", and "products" or "rest"."""


def main(quick: bool = False) -> None:
    """Where our training step spends its time.

    Args:
        quick: smoke test: one call of one network.
    """
    if not quick:
        require_quiet()
    names, calls = (_NETWORKS[:1], 1) if quick else (_NETWORKS, _CALLS)
    peak = peak_gflops()
    rows = [row for name in names for row in _rows(Workload(name, _BATCH), calls, peak)]
    result = {**provenance(quick), "peak_gflops": peak, "batch": _BATCH, "rows": rows}
    write_result(folder_for(quick) / f"step-profile-{device_name()}.json", result)
    print(profile_table(rows))


def profile_table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table of milliseconds per step, one line per layer and direction."""
    lines = ["| network | layer | | products | floor | rest |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: |")
    for row in rows:
        times = " | ".join(f"{row[name]:.3f}" for name in ("products_ms", "floor_ms", "rest_ms"))
        lines.append(f"| {row['network']} | {row['layer']} | {row['direction']} | {times} |")
    return "\n".join(lines) + "\n"


def _rows(workload: Workload, calls: int, peak: float) -> Iterator[dict[str, Any]]:
    """One row per layer and direction, in layer order; loss and update last."""
    flops = _flops(workload)
    spent = _time_by_part(workload, calls, {layer for layer, _ in flops})
    present = {part[:2] for part in spent}
    for layer, direction in (key for key in flops if key in present):
        yield {
            "network": workload.network,
            "layer": layer,
            "direction": direction,
            "products_ms": round(spent[layer, direction, "products"], 4),
            "floor_ms": round(flops[layer, direction] / peak / 1e6, 4),
            "rest_ms": round(spent[layer, direction, "rest"], 4),
        }


def _time_by_part(workload: Workload, calls: int, layers: Collection[str]) -> dict[Part, float]:
    """Milliseconds per step by part; 0 for absent parts."""
    stepper: Any = ours.make(workload, "ours")
    parts = parts_of(stepper.compiled(), layers)
    spent: dict[Part, float] = defaultdict(float)
    for name, nanoseconds in _trace_durations(stepper, calls).items():
        if name in parts:
            spent[parts[name]] += nanoseconds / (1e6 * calls * workload.steps)
    return spent


def parts_of(compiled: str, layers: Collection[str]) -> dict[str, Part]:
    """The part that each operation of a compiled program belongs to, by the operation's name."""
    return {
        match["name"]: _part(match["path"], layers)
        for match in _OPERATION.finditer(compiled)
        if match["kind"] not in _CONTAINERS
    }


def _part(path: str, layers: Collection[str]) -> Part:
    layer = next((scope for scope in _SCOPE.findall(path) if scope in layers), None)
    if layer is None:
        return _OTHER, "", "rest"
    direction = "backward" if "transpose(" in path else "forward"
    return layer, direction, "products" if path.endswith(_PRODUCTS) else "rest"


def _flops(workload: Workload) -> dict[tuple[str, str], int]:
    """Operations per batch by layer and direction, in layer order; loss and update last."""
    network = Network(workload.layers, workload.input_shape)
    _, *rows, _ = network.summary().rows
    flops = {}
    for layer, row in zip(network.layer_names, rows, strict=True):
        flops[layer, "backward"] = workload.batch * row.backward_flops
        flops[layer, "forward"] = workload.batch * row.forward_flops
    return {**flops, (_OTHER, ""): 0}


def _trace_durations(stepper: Any, calls: int) -> Counter[str]:
    """Nanoseconds of each operation, summed over all threads."""
    import jax
    from jax.profiler import ProfileData

    stepper.run()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(calls):
                stepper.run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        planes = ProfileData.from_file(str(path)).planes
        spent = Counter[str]()
        for event in (e for plane in planes for line in plane.lines for e in line.events):
            spent[event.name] += event.duration_ns
    return spent


if __name__ == "__main__":
    run_command(main)
