"""Times a row's variants in turn, once they agree."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from experiments.against_autodiff._calls import Arrays, Call
from experiments.against_autodiff._row import Row
from experiments.against_autodiff._rows import ROWS
from experiments.against_autodiff._torch_calls import torch_calls
from ffnn_jax._processor import core_numbers
from ffnn_jax.config import UserError

DTYPES = ("float32", "bfloat16")
_LARGEST_DIFFERENCE = {"cpu": 1e-5}
_LARGEST_ON_OTHERS = 1e-2  # whose float32 products may have factors of 10 bits
_HOPELESS = 2.0


@dataclasses.dataclass(frozen=True)
class Setting:
    """How often each row is timed.

    Attributes:
        seconds: time for the laps of a row and dtype, if the least number takes no longer.
        least: the smallest number of laps.
        most: the largest number of laps.
        batch: the batch of every row, instead of its own.
    """

    seconds: float = 0.8
    least: int = 5
    most: int = 25
    batch: int | None = None


def measured(title: str, setting: Setting) -> dict[str, Any]:
    """The times of a row in each dtype; raises UserError unless all variants agree in float32."""
    row = ROWS[title]
    arrays = row.draw(row.batch if setting.batch is None else setting.batch)
    result = {dtype: _timed(row, arrays, dtype, setting) for dtype in DTYPES}
    jax.clear_caches()
    return result


def _timed(row: Row, arrays: Arrays, dtype: str, setting: Setting) -> dict[str, Any]:
    forms = {"ours": row.ours, **row.forms}
    jax_calls = {name: Call(form, arrays, dtype) for name, form in forms.items()}
    on_cpu = jax.default_backend() == "cpu"  # PyTorch is timed there alone
    peers = torch_calls(row, arrays, dtype, len(core_numbers())) if on_cpu else {}
    calls = {**jax_calls, **peers}
    if dtype == "float32":
        require_agreement(row.title, {name: call.results() for name, call in calls.items()})
    first = {name: min(_seconds(call), _seconds(call)) for name, call in calls.items()}
    usual = next(iter(row.forms))
    names = ["ours", usual, *_hopeful([*row.forms], first), *_hopeful([*peers], first)]
    kept = {name: calls[name] for name in names}
    laps = _laps(kept, setting)
    return {name: _summary(laps[name], laps["ours"], call) for name, call in kept.items()}


def require_agreement(title: str, results: Mapping[str, Arrays]) -> None:
    """Raises UserError unless values and cotangents of all variants equal those of ours."""
    largest = _LARGEST_DIFFERENCE.get(jax.default_backend(), _LARGEST_ON_OTHERS)
    for name, arrays in results.items():
        for index, (theirs, ours) in enumerate(zip(arrays, results["ours"], strict=True)):
            apart = np.max(np.abs(theirs - ours)) / np.max(np.abs(ours))
            if theirs.shape != ours.shape or not apart <= largest:
                raise UserError(f"{title}: {name} differs from ours by {apart:.1e}, array {index}")


def _hopeful(names: Sequence[str], first: Mapping[str, float]) -> list[str]:
    """Those that may turn out the fastest of a group."""
    fastest = min((first[name] for name in names), default=0.0)
    return [name for name in names if first[name] <= _HOPELESS * fastest]


def _laps(calls: Mapping[str, Any], setting: Setting) -> dict[str, list[float]]:
    """Seconds of each call, lap by lap; every other lap in reverse order."""
    laps: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    for turn in range(setting.most):
        if turn >= setting.least and time.perf_counter() - began > setting.seconds:
            break
        for name in [*calls][:: -1 if turn % 2 else 1]:
            laps[name].append(_seconds(calls[name]))
    return laps


def _seconds(call: Any) -> float:
    began = time.perf_counter()
    call()
    spent = time.perf_counter() - began
    call.rest()
    return spent


def _summary(laps: list[float], ours: list[float], call: Any) -> dict[str, Any]:
    seconds = np.array(laps)
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    result = {
        "median_ms": _short(1e3 * median),
        "minimum_ms": _short(1e3 * seconds.min()),
        "spread_ms": [_short(1e3 * low), _short(1e3 * high)],
        "ratio_to_ours": _short(float(np.median(seconds / np.array(ours)))),
        "laps": len(laps),
    }
    if call.megabytes is not None:
        result["temporary_megabytes"] = _short(call.megabytes)
    return result


def _short(value: float) -> float:
    return float(f"{value:.4g}")
