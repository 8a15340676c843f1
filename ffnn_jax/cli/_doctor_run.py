"""What a run would find on this machine, and what stands in its way."""

import dataclasses
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp

from ffnn_jax.cli._results import console_beside, write_json
from ffnn_jax.config import UserError
from ffnn_jax.data import (
    data_dir,
    find_prepared,
    local_folder,
    prepared_names,
    require_intact,
)
from ffnn_jax.layers import dense
from ffnn_jax.runs import device, enable_compilation_cache, versions

_ENOUGH_BYTES = 2 << 30


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was examined.

    Attributes:
        about: what.
        found: what was found.
        remedy: what to do, where it stands in the way of a run.
    """

    about: str
    found: str
    remedy: str = ""


def examine_and_print(folder: Path | None, json: str | None) -> int:
    """Prints every finding; returns 1 if one stands in the way of a run."""
    console, findings = console_beside(json), list(examine(folder))
    for finding in findings:
        mark = "!!" if finding.remedy else "ok"
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        console.print(f"{mark} {finding.about:<10} {finding.found}{remedy}")
    write_json(json, [dataclasses.asdict(finding) for finding in findings])
    return int(any(finding.remedy for finding in findings))


def examine(folder: Path | None = None) -> Iterator[Finding]:
    """Examines one thing after another.

    Args:
        folder: of the prepared data sets; ``data_dir()`` if not given.
    """
    named = (f"{name} {number}" for name, number in versions().items())
    yield Finding("versions", f"{', '.join(named)}, {platform.platform()}")
    yield _unless_jax_fails("devices", _device)
    yield _unless_jax_fails("gradient", _gradient)
    yield from _data_sets(folder)
    yield _writable("runs", Path.cwd())
    yield _cache()
    grain = importlib.util.find_spec("grain") is not None
    yield Finding("streaming", "Grain is there" if grain else "without Grain: resident data alone")


def _unless_jax_fails(about: str, find: Callable[[], Finding]) -> Finding:
    """What is found; where jax finds no device, the environment may be the reason."""
    try:
        return find()
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        asked = os.environ.get("JAX_PLATFORMS")
        remedy = f"JAX_PLATFORMS is {asked!r}: unset it" if asked else "reinstall jax"
        return Finding(about, first, remedy)


def _device() -> Finding:
    where, kinds = device(), [f"{one.platform} {one.id}" for one in jax.devices()]
    name = where["processor"] if where["platform"] == "cpu" else where["kind"]
    return Finding("devices", f"{', '.join(kinds)}: {name}, {where['cpu_cores']} cores")


def _gradient() -> Finding:
    """The derived gradient of a dense layer with integers, which no device may round."""
    x, w, b = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]]), jnp.array([5.0])
    dw = jax.jit(jax.grad(lambda w: dense(x, w, b).sum()))(w)
    if dw.ravel().tolist() == [1.0, 2.0]:
        return Finding("gradient", "a dense layer's is right on this device")
    return Finding(
        "gradient", f"dw is {dw.tolist()}, not [[1], [2]]", "reinstall jax for the device"
    )


def _data_sets(folder: Path | None) -> Iterator[Finding]:
    """The sets whose files are whole, and a finding for each of the others."""
    where, whole, names = data_dir() if folder is None else local_folder(folder), [], []
    for name in prepared_names(where):
        names.append(name)
        try:
            found = find_prepared(name, where)
            if found is not None:
                require_intact(found)
                whole.append(f"{found.name} {found.version}")
        except UserError as error:
            yield Finding("data", str(error), "move its folder away and prepare it anew")
    hint = "" if names else " (ffnn-jax data prepare NAME; quickstart needs none)"
    yield Finding("data", f"{where}: {', '.join(whole) or 'no set'}{hint}")


def _writable(about: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(about, f"{folder}: {error.strerror}", "choose another folder")
    free = shutil.disk_usage(folder).free
    remedy = "" if free > _ENOUGH_BYTES else f"free {_ENOUGH_BYTES >> 30} GiB"
    return Finding(about, f"{folder} can be written to, {free / (1 << 30):.0f} GiB free", remedy)


def _cache() -> Finding:
    folder = enable_compilation_cache()
    if folder is None:
        return Finding("cache", "cannot be written to, so each run compiles anew")
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
        where = f"{folder} is no folder that can be written to"
        return Finding("cache", where, "give JAX_COMPILATION_CACHE_DIR another, or none")
    files = list(folder.glob("*-cache"))
    size = sum(file.stat().st_size for file in files) / 1e6
    return Finding("cache", f"{folder}: {len(files)} compiled programs, {size:.1f} MB")
