"""Where our training step spends its time: each layer's products and all else, beside the floor.

Command: python -m experiments.step_profile
Quick: python -m experiments.step_profile --quick, 1 network, 1 call, results to runs/quick.

XLA's own record of what runs on every thread, added up by layer and direction, for a batch of 16
(larger ones go through the network in parts of that size). Operations run side by side, and most
share both cores among themselves: the sum is more than the time of a step. What XLA fuses counts
where the result belongs. The floor is a layer's products at the peak rate of large products.
"""

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments._machine import commit, device_name, package_versions, peak_gflops, require_quiet
from experiments._results import folder_for, run_command, write_result
from experiments.peers import ours
from experiments.peers._workload import CHUNK, Workload
from ffnn_jax.network import Network

_NETWORKS, _BATCH, _CALLS = ("mnist", "cifar10-0", "cifar10-3"), 16, 20
_OPERATION = re.compile(r'%(?P<name>[\w.-]+) = .*? (?P<kind>[\w-]+)\(.*op_name="(?P<path>[^"]*)"')
_HOLDS_OTHERS = {"while", "call", "conditional"}
_LAYER = re.compile(r"jvp\((?P<layer>\w+_\d+)\)")
_OTHER = "loss, update"
Part = tuple[str, str, str]
"""A layer, "forward" or "backward", and "products" or "rest"."""


def main(quick: bool = False) -> None:
    """Where our training step spends its time.

    Args:
        quick: one call of one network, to see it work.
    """
    if not quick:
        require_quiet()
    names, calls = (_NETWORKS[:1], 1) if quick else (_NETWORKS, _CALLS)
    peak = peak_gflops()
    rows = [row for name in names for row in _rows(Workload(name, _BATCH), calls, peak)]
    result = {
        "quick": quick, "device": device_name(), "commit": commit(),
        "versions": package_versions(), "peak_gflops": peak, "batch": _BATCH,
        "rows": rows,
    }  # fmt: skip
    write_result(folder_for(quick) / f"step-profile-{device_name()}.json", result)
    print(profile_table(rows))


def profile_table(rows: list[dict[str, Any]]) -> str:
    """A line for each layer and direction, in milliseconds of a step."""
    lines = ["| network | layer | | products | floor | rest |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: |")
    for row in rows:
        times = " | ".join(f"{row[name]:.3f}" for name in ("products_ms", "floor_ms", "rest_ms"))
        lines.append(f"| {row['network']} | {row['layer']} | {row['direction']} | {times} |")
    return "\n".join(lines) + "\n"


def _rows(workload: Workload, calls: int, peak: float) -> Iterator[dict[str, Any]]:
    """A row for each layer and direction."""
    stepper: Any = ours.make(workload, "ours")
    parts = parts_of(stepper.compiled())
    spent: dict[Part, float] = defaultdict(float)
    for name, nanoseconds in _recorded(stepper, calls).items():
        if name in parts:
            spent[parts[name]] += nanoseconds / (1e6 * calls * CHUNK)
    for layer, direction in dict.fromkeys((part[0], part[1]) for part in sorted(spent, key=_place)):
        yield {
            "network": workload.network,
            "layer": layer,
            "direction": direction,
            "products_ms": round(spent[layer, direction, "products"], 4),
            "floor_ms": round(_flops(workload, layer, direction) / peak / 1e6, 4),
            "rest_ms": round(spent[layer, direction, "rest"], 4),
        }


def parts_of(compiled: str) -> dict[str, Part]:
    """What each operation of a compiled program belongs to, by its name."""
    return {
        found["name"]: _part(found["path"])
        for found in _OPERATION.finditer(compiled)
        if found["kind"] not in _HOLDS_OTHERS
    }


def _part(path: str) -> Part:
    layer = _LAYER.search(path)
    if layer is None:
        return _OTHER, "", "rest"
    direction = "backward" if "transpose(" in path else "forward"
    return layer["layer"], direction, "products" if path.endswith("dot_general") else "rest"


def _place(part: Part) -> tuple[bool, int, str]:
    """Layers in their order, what belongs to none at the end."""
    return part[0] == _OTHER, _number(part[0]), part[1]


def _number(layer: str) -> int:
    return int(layer.rpartition("_")[2]) if layer != _OTHER else 0


def _flops(workload: Workload, layer: str, direction: str) -> int:
    """Of a batch: those of the row with the layer's number."""
    rows = Network(workload.layers, workload.input_shape).summary().rows
    found = sum(
        row.backward_flops if direction == "backward" else row.forward_flops
        for row in rows
        if row.number == _number(layer)
    )
    return workload.batch * found


def _recorded(stepper: Any, calls: int) -> Counter[str]:
    """Nanoseconds of every operation on all threads."""
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
