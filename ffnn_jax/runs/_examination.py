"""Checks whether this machine is ready for a run."""

import dataclasses
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp

from ffnn_jax._device import require_platform
from ffnn_jax.config import UserError
from ffnn_jax.data import data_dir, find_prepared, prepared_names, require_intact
from ffnn_jax.layers import dense
from ffnn_jax.runs._environment import device, enable_compilation_cache, versions

_REQUIRED_BYTES = 2 << 30


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check."""

    about: str
    found: str
    remedy: str = ""  # what to do about it, if it would stop a run


def examine(folder: Path | None) -> Iterator[Finding]:
    """Runs the checks one after another; the folder is that of the prepared data sets."""
    packages = (f"{name} {version}" for name, version in versions().items())
    yield Finding("versions", f"{', '.join(packages)}, {platform.platform()}")
    try:
        require_platform()
        info, devices = device(), [f"{item.platform} {item.id}" for item in jax.devices()]
        name = info["processor"] if info["platform"] == "cpu" else info["kind"]
        used = f"{', '.join(devices)}{', 1 used' * (len(devices) > 1)}"
        yield Finding("devices", f"{used}: {name}, {info['cpu_cores']} CPU cores")
        yield _gradient()
    except (UserError, RuntimeError) as error:
        remedy = "unset JAX_PLATFORMS, or install jax for that platform"
        yield Finding("devices", str(error).partition("\n")[0], remedy)
    yield from _data_sets(folder)
    yield _writable("runs", Path.cwd())
    yield _cache()
    grain = importlib.util.find_spec("grain") is not None
    yield Finding("streaming", "Grain is installed" if grain else "no Grain: in-memory data only")


def _gradient() -> Finding:
    """Checks a dense layer's gradient on small integers, which every device represents exactly."""
    x, w, b = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]]), jnp.array([5.0])
    dw = jax.jit(jax.grad(lambda w: dense(x, w, b).sum()))(w)
    if dw.ravel().tolist() == [1.0, 2.0]:
        return Finding("gradient", "a dense layer's gradient is correct on this device")
    found = f"dw is {dw.tolist()}, expected [[1], [2]]"
    return Finding("gradient", found, "reinstall jax for the device")


def _data_sets(folder: Path | None) -> Iterator[Finding]:
    """Lists the intact sets, after one finding for each damaged set."""
    data_folder, intact = data_dir(folder), []
    names = list(prepared_names(data_folder))
    for name in names:
        try:
            prepared = find_prepared(name, data_folder)
            if prepared is not None:
                require_intact(prepared)
                intact.append(f"{prepared.name} {prepared.version}")
        except UserError as error:
            yield Finding("data", str(error), "move its folder away and prepare the set again")
    hint = "" if names else " (run ffnn-jax data prepare NAME; quickstart needs none)"
    yield Finding("data", f"{data_folder}: {', '.join(intact) or 'no intact set'}{hint}")


def _writable(about: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(about, f"{folder}: {error.strerror}", "choose another folder")
    free = shutil.disk_usage(folder).free
    remedy = "" if free > _REQUIRED_BYTES else f"free {_REQUIRED_BYTES >> 30} GiB"
    return Finding(about, f"{folder} is writable, {free / (1 << 30):.0f} GiB free", remedy)


def _cache() -> Finding:
    folder = enable_compilation_cache()
    if folder is None:
        return Finding("cache", "not writable, so each run recompiles")
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
        problem = f"{folder} is not a writable folder"
        return Finding("cache", problem, "change or unset JAX_COMPILATION_CACHE_DIR")
    files = list(folder.glob("*-cache"))
    size = sum(file.stat().st_size for file in files) / 1e6
    return Finding("cache", f"{folder}: {len(files)} compiled programs, {size:.1f} MB")
