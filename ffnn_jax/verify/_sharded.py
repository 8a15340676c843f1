"""Checks over four devices, in a subprocess, because a process cannot change its device count.

The subprocess imports operation and reference by name; functions it cannot import are skipped.
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
from ffnn_jax.verify._compare import allowed_error, compare
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Function, Subject, value_and_cotangents

NAMES = ("sharded", "shard_map")
_DEVICES = 4
_AXIS = "devices"
_IN_SUBPROCESS = "FFNN_JAX_VERIFY_SUBPROCESS"  # an imported module may itself check a rule


def import_path(function: Function) -> dict[str, Any] | None:
    """Where to import a function from, and its keywords; None if it cannot be imported."""
    settings: dict[str, Any] = {}
    if isinstance(function, functools.partial):
        if function.args:
            return None
        function, settings = function.func, dict(function.keywords)
    module, name = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    imported = getattr(sys.modules.get(module), name, None)
    if imported is not function or module == "__main__":
        return None
    return {"module": module, "name": name, "settings": settings}


def build_request(subject: Subject, sizes: Sizes, seed: int) -> dict[str, Any] | None:
    """The request to the subprocess, or None if it cannot run the checks."""
    op, reference = import_path(subject.op), import_path(subject.reference)
    if None in (subject.batch, op, reference) or _IN_SUBPROCESS in os.environ:
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
    """Checks of several subjects, started immediately and collected when they finish."""

    def __init__(self, requests: list[dict[str, Any]]) -> None:
        """Starts the subprocess, unless there are no requests."""
        self._process = None
        if requests:
            flags = f"{os.environ.get('XLA_FLAGS', '')} "
            flags += f"--xla_force_host_platform_device_count={_DEVICES}"
            paths = os.pathsep.join(path or "." for path in sys.path)
            environment = os.environ | {
                "XLA_FLAGS": flags,
                "JAX_PLATFORMS": "cpu",
                "PYTHONPATH": paths,
                _IN_SUBPROCESS: "1",
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ffnn_jax.verify._sharded", json.dumps(requests)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def results(self) -> list[list[Check]]:
        """Waits for the subprocess; returns the checks of each subject, in order."""
        if self._process is None:
            return []
        stdout, stderr = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the subprocess with {_DEVICES} devices failed:\n{stderr}")
        return [[Check(**row) for row in rows] for rows in json.loads(stdout)]


def check_on_devices(request: dict[str, Any]) -> list[Check]:
    """Runs both checks of one subject, in the subprocess."""
    subject = Subject(
        _import(request["op"]),
        _import(request["reference"]),
        tuple(map(Argument.parse, request["arguments"])),
        batch=request["batch"],
        reduces=request["reduces"],
    )
    generator = np.random.default_rng(request["seed"])
    args = subject.draw(generator, request["sizes"])
    dz = subject.draw_cotangent(generator, args)
    expected = subject.pull(args, dz)
    has_batch = _outputs_with_batch(subject, request["sizes"])
    names, allowed = ("z", "cotangents"), allowed_error(args)
    checks = []
    runs = dict(zip(NAMES, (_with_shardings, _with_shard_map), strict=True))
    if subject.reduces == "mixed":
        del runs["shard_map"]
    for name, run in runs.items():
        try:
            actual = run(subject, args, dz, has_batch)
            checks.append(compare(name, names, actual, expected, allowed))
        except Exception as error:
            note = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            checks.append(Check(name, False, float("inf"), allowed, note=note))
    return checks


def _import(location: dict[str, Any]) -> Function:
    function = getattr(importlib.import_module(location["module"]), location["name"])
    return functools.partial(function, **location["settings"]) if location["settings"] else function


def _outputs_with_batch(subject: Subject, sizes: Sizes) -> Any:
    """Whether each output has a leading batch axis: whether its size changes with the batch."""
    generator = np.random.default_rng(0)

    def outputs(batch: int) -> Any:
        args = subject.draw(generator, {**sizes, str(subject.batch): batch})
        return jax.eval_shape(subject.reference, *args)

    small, large = outputs(_DEVICES), outputs(2 * _DEVICES)
    return jax.tree.map(lambda a, b: a.shape[:1] != b.shape[:1], small, large)


def _spec(has_batch: bool) -> PartitionSpec:
    return PartitionSpec(_AXIS) if has_batch else PartitionSpec()


def _specs(subject: Subject) -> list[PartitionSpec]:
    return [_spec(argument.axes[:1] == (subject.batch,)) for argument in subject.arguments]


def _mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((_DEVICES,), (_AXIS,), axis_types=(AxisType.Auto,))


def _with_shardings(subject: Subject, args: Any, dz: Any, has_batch: Any) -> Any:
    """Compiles for the mesh with jit; XLA inserts the communication it needs."""
    mesh = _mesh()
    shardings = [NamedSharding(mesh, spec) for spec in _specs(subject)]
    placed = [jax.device_put(arg, sharding) for arg, sharding in zip(args, shardings, strict=True)]
    outputs = jax.tree.map(lambda batched: NamedSharding(mesh, _spec(batched)), has_batch)
    return subject.pull(placed, jax.device_put(dz, outputs))


def _with_shard_map(subject: Subject, args: Any, dz: Any, has_batch: Any) -> Any:
    """Runs the rule on each device's shard; cotangents of replicated arguments are summed."""
    specs = _specs(subject)
    replicated = [spec == PartitionSpec() for spec in specs]
    weight = 1.0 if subject.reduces == "sum" else 1.0 / _DEVICES
    output = jax.tree.map(_spec, has_batch)

    def varying(array: Any) -> Any:
        return jax.lax.pcast(array, _AXIS, to="varying")

    def local_cotangent(leaf: Any, batched: bool) -> Any:
        return leaf if batched else varying(weight * leaf)

    def total(leaf: Any, batched: bool) -> Any:
        return leaf if batched else jax.lax.psum(weight * leaf, _AXIS)

    def local(args: Any, dz: Any) -> Any:
        args = [varying(arg) if r else arg for arg, r in zip(args, replicated, strict=True)]
        dz = jax.tree.map(local_cotangent, dz, has_batch)
        z, cotangents = value_and_cotangents(subject.op, subject.reals, args, dz)
        return jax.tree.map(total, z, has_batch), tuple(
            jax.lax.psum(cotangent, _AXIS) if replicated[index] else cotangent
            for index, cotangent in zip(subject.reals, cotangents, strict=True)
        )

    cotangent_specs = tuple(specs[index] for index in subject.reals)
    run = jax.shard_map(
        local, mesh=_mesh(), in_specs=(specs, output), out_specs=(output, cotangent_specs)
    )
    return jax.jit(run)(args, dz)


if __name__ == "__main__":
    with jax.enable_x64(True):
        results = [check_on_devices(request) for request in json.loads(sys.argv[1])]
    print(json.dumps([[dataclasses.asdict(check) for check in checks] for checks in results]))
