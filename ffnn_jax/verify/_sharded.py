"""Checks over four devices, in a process of their own: devices are counted once in a process.

The process imports operation and reference by name, so functions without one are not checked.
"""

import dataclasses
import functools
import importlib
import json
import os
import subprocess
import sys
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ffnn_jax.verify._arguments import Argument, Sizes
from ffnn_jax.verify._compare import allowed_for, compare
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Function, Subject, value_and_cotangents

NAMES = ("sharded", "shard_map")
_DEVICES = 4
_AXIS = "devices"


def name_of(function: Function) -> dict[str, Any] | None:
    """Where to import a function from, and its settings; None if it cannot be imported."""
    settings: dict[str, Any] = {}
    if isinstance(function, functools.partial):
        if function.args:
            return None
        function, settings = function.func, dict(function.keywords)
    module, name = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    found = getattr(sys.modules.get(module), name, None)
    if found is not function or module == "__main__":
        return None
    return {"module": module, "name": name, "settings": settings}


def request_for(subject: Subject, sizes: Sizes, seed: int) -> dict[str, Any] | None:
    """The question to the process, or None where it cannot be asked."""
    op, reference = name_of(subject.op), name_of(subject.reference)
    if subject.batch is None or op is None or reference is None:
        return None
    return {
        "op": op,
        "reference": reference,
        "arguments": list(map(str, subject.arguments)),
        "batch": subject.batch,
        "reduces": subject.reduces,
        "sizes": {**sizes, subject.batch: 2 * _DEVICES},
        "seed": seed,
    }


class ShardedChecks:
    """Checks of several subjects, begun at once and read when they are done."""

    def __init__(self, requests: list[dict[str, Any]]) -> None:
        """Starts the process, unless there is nothing to ask."""
        self._process = None
        if requests:
            flags = f"{os.environ.get('XLA_FLAGS', '')} "
            flags += f"--xla_force_host_platform_device_count={_DEVICES}"
            paths = os.pathsep.join(path or "." for path in sys.path)
            environment = os.environ | {
                "XLA_FLAGS": flags,
                "JAX_PLATFORMS": "cpu",
                "PYTHONPATH": paths,
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ffnn_jax.verify._sharded", json.dumps(requests)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def results(self) -> list[list[Check]]:
        """The checks of each subject, in order."""
        if self._process is None:
            return []
        printed, complaint = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the process with {_DEVICES} devices failed:\n{complaint}")
        return [[Check(**row) for row in rows] for rows in json.loads(printed)]


def check_on_devices(request: dict[str, Any]) -> list[Check]:
    """In the process: both checks of one subject."""
    subject = Subject(
        _imported(request["op"]),
        _imported(request["reference"]),
        tuple(map(Argument.parse, request["arguments"])),
        batch=request["batch"],
        reduces=request["reduces"],
    )
    generator = np.random.default_rng(request["seed"])
    args = subject.draw(generator, request["sizes"])
    dz = subject.draw_cotangent(generator, args)
    expected = subject.pull(args, dz)
    carries = _output_carries(subject, request["sizes"])
    names, allowed = ("z", "cotangents"), allowed_for(args)
    checks = []
    ways = dict(zip(NAMES, (_with_shardings, _with_shard_map), strict=True))
    if subject.reduces == "mixed":
        del ways["shard_map"]
    for name, run in ways.items():
        try:
            actual = run(subject, args, dz, carries)
            checks.append(compare(name, names, actual, expected, allowed))
        except Exception as error:
            note = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            checks.append(Check(name, False, float("inf"), allowed, note=note))
    return checks


def _imported(place: dict[str, Any]) -> Function:
    function = getattr(importlib.import_module(place["module"]), place["name"])
    return functools.partial(function, **place["settings"]) if place["settings"] else function


def _output_carries(subject: Subject, sizes: Sizes) -> Any:
    """Whether each output has the batch axis in front: whether its size follows the batch's."""
    generator = np.random.default_rng(0)

    def outputs(batch: int) -> Any:
        args = subject.draw(generator, {**sizes, str(subject.batch): batch})
        return jax.eval_shape(subject.reference, *args)

    few, many = outputs(_DEVICES), outputs(2 * _DEVICES)
    return jax.tree.map(lambda a, b: a.shape[:1] != b.shape[:1], few, many)


def _spec(carries: bool) -> PartitionSpec:
    return PartitionSpec(_AXIS) if carries else PartitionSpec()


def _specs(subject: Subject) -> list[PartitionSpec]:
    return [_spec(argument.axes[:1] == (subject.batch,)) for argument in subject.arguments]


def _mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((_DEVICES,), (_AXIS,), axis_types=(AxisType.Auto,))


def _with_shardings(subject: Subject, args: Any, dz: Any, carries: Any) -> Any:
    """Compiled for the mesh by jit: XLA puts in what communication it needs."""
    mesh = _mesh()
    places = [NamedSharding(mesh, spec) for spec in _specs(subject)]
    placed = [jax.device_put(arg, place) for arg, place in zip(args, places, strict=True)]
    outputs = jax.tree.map(lambda carry: NamedSharding(mesh, _spec(carry)), carries)
    return subject.pull(placed, jax.device_put(dz, outputs))


def _with_shard_map(subject: Subject, args: Any, dz: Any, carries: Any) -> Any:
    """Each device runs the rule on its share; what all share is summed over them."""
    specs = _specs(subject)
    shared = [spec == PartitionSpec() for spec in specs]
    part = 1.0 if subject.reduces == "sum" else 1.0 / _DEVICES
    output = jax.tree.map(_spec, carries)

    def varying(array: Any) -> Any:
        return jax.lax.pcast(array, _AXIS, to="varying")

    def share(leaf: Any, carry: bool) -> Any:
        return leaf if carry else varying(part * leaf)

    def whole(leaf: Any, carry: bool) -> Any:
        return leaf if carry else jax.lax.psum(part * leaf, _AXIS)

    def local(args: Any, dz: Any) -> Any:
        args = [varying(arg) if s else arg for arg, s in zip(args, shared, strict=True)]
        dz = jax.tree.map(share, dz, carries)
        z, cotangents = value_and_cotangents(subject.op, subject.reals, args, dz)
        return jax.tree.map(whole, z, carries), tuple(
            jax.lax.psum(cotangent, _AXIS) if shared[place] else cotangent
            for place, cotangent in zip(subject.reals, cotangents, strict=True)
        )

    cotangent_specs = tuple(specs[place] for place in subject.reals)
    run = jax.shard_map(
        local, mesh=_mesh(), in_specs=(specs, output), out_specs=(output, cotangent_specs)
    )
    return jax.jit(run)(args, dz)


if __name__ == "__main__":
    with jax.enable_x64(True):
        found = [check_on_devices(request) for request in json.loads(sys.argv[1])]
    print(json.dumps([[dataclasses.asdict(check) for check in checks] for checks in found]))
