"""Checks over four devices, in a subprocess, because a process cannot change its device count.

The subprocess imports operation and reference by name; functions it cannot import are skipped. It
writes its result to a file, since what it imports may print, and ends when this process does.
"""

import functools
import importlib
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ffnn_jax.verify._arguments import Sizes
from ffnn_jax.verify._compare import allowed_error, compare, largest
from ffnn_jax.verify._result import Check, failure, one_line
from ffnn_jax.verify._rule import Function, Rule
from ffnn_jax.verify._subject import Subject, value_and_cotangents

NAMES = ("sharded", "shard_map")
_DEVICES = 4
_AXIS = "devices"
_SPLIT, _WHOLE = PartitionSpec(_AXIS), PartitionSpec()
_TRAITS = ("batch", "reduces", "dtypes", "rtol")
IN_SUBPROCESS = "FFNN_JAX_VERIFY_SUBPROCESS"  # an imported module may itself check a rule
_LIMIT_SECONDS = 300.0
_ROUNDINGS = 256 * float(np.finfo(np.float64).eps)


def import_path(function: Function | None) -> dict[str, Any] | None:
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


class ShardedChecks:
    """Checks of one rule, started immediately and collected when they finish."""

    def __init__(self, rule: Rule, sizes: Sizes, seed: int) -> None:
        """Starts the subprocess."""
        self._folder = tempfile.TemporaryDirectory()
        self._rows, self._errors = (Path(self._folder.name) / name for name in ("rows", "errors"))
        request = {
            "op": import_path(rule.op), "reference": import_path(rule.reference or rule.op),
            "arguments": list(map(str, rule.arguments)), "seed": seed,
            "sizes": {**sizes, str(rule.batch): 2 * _DEVICES},
            "traits": {name: getattr(rule, name) for name in _TRAITS},
        }  # fmt: skip
        environment = os.environ | {
            "JAX_NUM_CPU_DEVICES": str(_DEVICES), "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path), IN_SUBPROCESS: "1",
        }  # fmt: skip
        module = [sys.executable, "-m", "ffnn_jax.verify._sharded"]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*module, pickle.dumps(request).hex(), str(self._rows)], env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
            )  # fmt: skip

    def results(self, seconds: float) -> list[Check]:
        """Waits for the subprocess, at most so long, and returns its checks."""
        seconds = _LIMIT_SECONDS if seconds == math.inf else seconds
        with self._folder, self._process:  # its input is open until here: this process lives
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                return [failure(name, f"did not finish in {seconds:.0f} s") for name in NAMES]
            if self._process.returncode:
                lines = self._errors.read_text(errors="replace").strip().splitlines()
                reason = (lines or ["it ended early"])[-1]
                note = f"the subprocess with {_DEVICES} devices failed: {reason}"
                return [failure(name, note) for name in NAMES]
            return [Check(**row) for row in json.loads(self._rows.read_text())]


def check_on_devices(request: dict[str, Any]) -> list[Check]:
    """Runs both checks of one rule, in the subprocess."""
    op, reference = _import(request["op"]), _import(request["reference"])
    rule, sizes = Rule(op, reference, request["arguments"], **request["traits"]), request["sizes"]
    subject = Subject.of(rule, sizes)
    args, dz = subject.draw_pair(np.random.default_rng(request["seed"]), sizes)
    words = [word and word.axes[:1] == (rule.batch,) for word in subject.words]
    specs = [_SPLIT if split else _WHOLE for split in words], _output_specs(subject, sizes)
    runs = [_with_shardings] if rule.reduces == "mixed" else [_with_shardings, _with_shard_map]
    parts, allowed, checks = ("z", "cotangents"), allowed_error(subject, args), []
    with jax.enable_x64(subject.wide):
        expected = subject.pull(args, dz)
        slack = _ROUNDINGS * largest(expected)
        for name, run in zip(NAMES, runs, strict=False):
            try:
                actual = run(subject, args, dz, *specs)
                checks.append(compare(name, parts, actual, expected, allowed, slack=slack))
            except Exception as error:
                checks.append(failure(name, one_line(error), allowed))
    return checks


def _import(location: dict[str, Any]) -> Function:
    function = getattr(importlib.import_module(location["module"]), location["name"])
    return functools.partial(function, **location["settings"]) if location["settings"] else function


def _output_specs(subject: Subject, sizes: Sizes) -> Any:
    """How each output is split: along its first axis if that changes with the batch."""
    generator = np.random.default_rng(0)

    def outputs(batch: int) -> Any:
        args = subject.draw(generator, {**sizes, str(subject.rule.batch): batch})
        return jax.eval_shape(subject.truth, *args)

    def spec(small: Any, large: Any) -> PartitionSpec:
        return _WHOLE if small.shape[:1] == large.shape[:1] else _SPLIT

    return jax.tree.map(spec, outputs(_DEVICES), outputs(2 * _DEVICES))


def _mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((_DEVICES,), (_AXIS,), axis_types=(AxisType.Auto,))


def _with_shardings(subject: Subject, args: Any, dz: Any, inputs: Any, outputs: Any) -> Any:
    """Compiles for the mesh with jit; XLA inserts the communication it needs."""
    shardings = jax.tree.map(functools.partial(NamedSharding, _mesh()), (inputs, outputs))
    return subject.pull(*jax.device_put((args, dz), shardings))


def _with_shard_map(subject: Subject, args: Any, dz: Any, inputs: Any, outputs: Any) -> Any:
    """Runs the rule on each device's shard; cotangents of replicated arguments are summed."""
    weight = 1.0 if subject.rule.reduces == "sum" else 1.0 / _DEVICES
    of_reals = tuple(inputs[i] for i in subject.reals)

    def of_whole(change: Function) -> Function:
        return lambda leaf, spec: leaf if spec == _SPLIT else change(leaf)

    weighted = of_whole(lambda leaf: weight * leaf)
    varying = of_whole(lambda leaf: jax.lax.pcast(leaf, _AXIS, to="varying"))
    total = of_whole(lambda leaf: jax.lax.psum(leaf, _AXIS))

    def local(args: Any, dz: Any) -> Any:
        args, dz = list(map(varying, args, inputs)), jax.tree.map(weighted, dz, outputs)
        dz = jax.tree.map(varying, dz, outputs)
        z, cotangents = value_and_cotangents(subject.op, subject.reals, args, dz)
        z = jax.tree.map(total, jax.tree.map(weighted, z, outputs), outputs)
        return z, tuple(map(total, cotangents, of_reals))

    specs = {"in_specs": (inputs, outputs), "out_specs": (outputs, of_reals)}
    return jax.jit(jax.shard_map(local, mesh=_mesh(), **specs))(args, dz)


if __name__ == "__main__":
    # Its standard input is closed when its parent ends.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    rows = check_on_devices(pickle.loads(bytes.fromhex(sys.argv[1])))
    fields = ("name", "passed", "worst", "allowed", "where", "note")
    Path(sys.argv[2]).write_text(json.dumps([{f: getattr(row, f) for f in fields} for row in rows]))
