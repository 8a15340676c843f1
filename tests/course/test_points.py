"""A right cotangent is paid for each check that does not speak against it; a wrong one, nothing."""

import math
from typing import Any

import numpy as np

from ffnn_jax.course._points import WEIGHTS, points_of
from ffnn_jax.verify import Check, VerificationResult
from ffnn_jax.verify._result import Part


def result(not_asked: dict[str, str] | None = None, **failing: Any) -> VerificationResult:
    """A result with these checks; each has the names of what differs, or None if it passed."""
    checks = []
    for name, parts in failing.items():
        arrays = [Part(part, *(np.zeros(1),) * 3) for part in parts or ()]
        checks.append(Check(name.replace("_", " "), parts is None, parts=tuple(arrays)))
    return VerificationResult("op", tuple(checks), not_asked or {})


def test_all_points_for_all_checks_that_apply():
    assert sum(WEIGHTS.values()) == 100
    assert points_of(["dx", "dw"], [result(value=None, cotangents=None)]) == {"dx": 1, "dw": 1}


def test_a_wrong_cotangent_costs_its_own_points_alone():
    found = result(cotangents=["dw"], float32=["dw"], vmap=["dw[0] mapped m."], grad_of_grad=[])
    assert points_of(["dx", "dw"], [found]) == {"dx": 1, "dw": 0}


def test_a_case_in_which_one_is_wrong_is_enough():
    results = [result(cotangents=None), result(cotangents=["dx"])]
    assert points_of(["dx", "dw"], results) == {"dx": 0, "dw": 1}


def test_a_failure_without_names_counts_against_all():
    assert points_of(["dx", "dw"], [result(cotangents=[])]) == {"dx": 0, "dw": 0}
    earned = points_of(["dx", "dw"], [result(cotangents=None, scan=[], bfloat16=["dw"])])
    total = WEIGHTS["cotangents"] + WEIGHTS["scan"] + WEIGHTS["bfloat16"]
    assert math.isclose(earned["dx"], 1 - WEIGHTS["scan"] / total)
    assert math.isclose(earned["dw"], WEIGHTS["cotangents"] / total)


def test_refusing_a_dtype_is_no_way_around_its_check():
    found = result({"bfloat16": "not supported: no", "kinks": "none declared"}, cotangents=None)
    lost = WEIGHTS["bfloat16"] / (WEIGHTS["cotangents"] + WEIGHTS["bfloat16"])
    assert math.isclose(points_of(["dx"], [found])["dx"], 1 - lost)
