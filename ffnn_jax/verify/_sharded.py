"""Checks over four devices, in a subprocess, because a process cannot change its device count.

The subprocess imports operation and reference by name; functions it cannot import are skipped. It
writes its result to a file, since what it imports may print, and ends when this process does.
"""

import contextlib
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ffnn_jax.verify._arguments import Argument, Sizes
from ffnn_jax.verify._compare import allowed_error, compare, largest
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._rule import Function, Rule
from ffnn_jax.verify._subject import Subject, value_and_cotangents

NAMES = ("sharded", "shard_map")
_DEVICES = 4
_AXIS = "devices"
_IN_SUBPROCESS = "FFNN_JAX_VERIFY_SUBPROCESS"  # an imported module may itself check a rule
_LIMIT_SECONDS = 300.0
_ROUNDINGS = 256 * float(np.finfo(np.float64).eps)


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


def reason_not_asked(rule: Rule) -> str:
    """Why the checks cannot run, or ""."""
    if rule.batch is None:
        return "no batch="
    if not all(isinstance(argument, Argument) for argument in rule.arguments) or rule.draw:
        return "only where each argument is described by text"
    if rule.backward is not None or rule.reference is None:
        return "only with a reference"
    if None in (import_path(rule.op), import_path(rule.reference)):
        return "only for functions that can be imported"
    return "already in a subprocess" if _IN_SUBPROCESS in os.environ else ""


def build_request(rule: Rule, sizes: Sizes, seed: int) -> dict[str, Any]:
    """The request to the subprocess."""
    return {
        "op": import_path(rule.op),
        "reference": import_path(rule.reference or rule.op),
        "arguments": list(map(str, rule.arguments)),
        "batch": rule.batch,
        "reduces": rule.reduces,
        "dtypes": list(rule.dtypes),
        "rtol": rule.rtol,
        "sizes": {**sizes, str(rule.batch): 2 * _DEVICES},
        "seed": seed,
    }


class ShardedChecks:
    """Checks of one rule, started immediately and collected when they finish."""

    def __init__(self, request: dict[str, Any] | None) -> None:
        """Starts the subprocess, unless there is no request."""
        self._process = None
        if request:
            self._folder = tempfile.TemporaryDirectory()
            self._file = Path(self._folder.name) / "checks.json"
            flags = f"{os.environ.get('XLA_FLAGS', '')} "
            flags += f"--xla_force_host_platform_device_count={_DEVICES}"
            paths = os.pathsep.join(path or "." for path in sys.path)
            environment = os.environ | {
                "XLA_FLAGS": flags,
                "JAX_PLATFORMS": "cpu",
                "PYTHONPATH": paths,
                _IN_SUBPROCESS: "1",
            }
            command = [sys.executable, "-m", "ffnn_jax.verify._sharded", json.dumps(request)]
            self._process = subprocess.Popen(
                [*command, str(self._file)], env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip

    def results(self, seconds: float = _LIMIT_SECONDS) -> list[Check]:
        """Waits for the subprocess, at most so long, and returns its checks."""
        if self._process is None:
            return []
        try:
            with self._folder:
                errors = _wait(self._process, seconds)
                if self._process.returncode:
                    reason = (errors.strip().splitlines() or ["it ended early"])[-1]
                    note = f"the subprocess with {_DEVICES} devices failed: {reason}"
                    return [Check(name, False, float("inf"), note=note) for name in NAMES]
                return [Check(**row) for row in json.loads(self._file.read_text())]
        except subprocess.TimeoutExpired:
            note = f"did not finish in {seconds:.0f} s"
            return [Check(name, False, float("inf"), note=note) for name in NAMES]


def _wait(process: subprocess.Popen[str], seconds: float) -> str:
    """What the process printed as errors; its input stays open, a sign that this process lives."""
    assert process.stderr is not None
    errors: list[str] = []
    with process.stdin or contextlib.nullcontext(), process.stderr as pipe:
        reader = threading.Thread(target=lambda: errors.append(pipe.read()), daemon=True)
        reader.start()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            reader.join()
    return "".join(errors)


def end_with_parent() -> None:
    """Ends this process as soon as its standard input is closed, as it is when its parent ends."""

    def watch() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def check_on_devices(request: dict[str, Any]) -> list[Check]:
    """Runs both checks of one rule, in the subprocess."""
    rule = Rule(
        _import(request["op"]),
        _import(request["reference"]),
        tuple(request["arguments"]),
        batch=request["batch"],
        reduces=request["reduces"],
        dtypes=tuple(request["dtypes"]),
        rtol=request["rtol"],
    )
    sizes = request["sizes"]
    subject = Subject.of(rule, sizes)
    generator = np.random.default_rng(request["seed"])
    args = subject.draw(generator, sizes)
    dz = subject.draw_cotangent(generator, args)
    with jax.enable_x64(subject.wide):
        expected = subject.pull(args, dz)
    has_batch = _outputs_with_batch(subject, sizes)
    names, allowed = ("z", "cotangents"), allowed_error(subject, args)
    checks = []
    runs = dict(zip(NAMES, (_with_shardings, _with_shard_map), strict=True))
    if rule.reduces == "mixed":
        del runs["shard_map"]
    for name, run in runs.items():
        try:
            with jax.enable_x64(subject.wide):
                actual = run(subject, args, dz, has_batch)
            slack = _ROUNDINGS * largest(expected)
            checks.append(compare(name, names, actual, expected, allowed, slack=slack))
        except Exception as error:
            note = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            checks.append(Check(name, False, float("inf"), allowed, note=note))
    return checks


def _import(location: dict[str, Any]) -> Function:
    function = getattr(importlib.import_module(location["module"]), location["name"])
    return functools.partial(function, **location["settings"]) if location["settings"] else function


def _outputs_with_batch(subject: Subject, sizes: Sizes) -> Any:
    """Whether each output has a leading batch axis: whether its size changes with the batch."""
    generator = np.random.default_rng(0)

    def outputs(batch: int) -> Any:
        args = subject.draw(generator, {**sizes, str(subject.rule.batch): batch})
        return jax.eval_shape(subject.truth, *args)

    small, large = outputs(_DEVICES), outputs(2 * _DEVICES)
    return jax.tree.map(lambda a, b: a.shape[:1] != b.shape[:1], small, large)


def _spec(has_batch: bool) -> PartitionSpec:
    return PartitionSpec(_AXIS) if has_batch else PartitionSpec()


def _specs(subject: Subject) -> list[PartitionSpec]:
    return [_spec(bool(word and word.axes[:1] == (subject.rule.batch,))) for word in subject.words]


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
    weight = 1.0 if subject.rule.reduces == "sum" else 1.0 / _DEVICES
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
    end_with_parent()
    rows = check_on_devices(json.loads(sys.argv[1]))
    fields = ("name", "passed", "worst", "allowed", "where", "note")
    Path(sys.argv[2]).write_text(json.dumps([{f: getattr(row, f) for f in fields} for row in rows]))
