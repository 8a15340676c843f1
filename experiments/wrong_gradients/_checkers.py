"""The gradient checkers that are compared.

Each accepts a case by returning, perhaps a remark, and rejects it by raising.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.test_util import check_grads

from experiments.wrong_gradients._case import Case
from experiments.wrong_gradients._example import Example, examples
from experiments.wrong_gradients._table import OURS
from ffnn_jax.catalogue import FAULT_CHECKS
from ffnn_jax.verify import CHECKS, VerificationResult, check_rules, check_vjp

Checker = Callable[[Case], str]
TORCH = "`torch.autograd.gradcheck`"
_STEP, _RTOL, _ATOL = 1e-6, 1e-4, 1e-6


def ours(case: Case) -> str:
    """``check_vjp``; remarks on conventions that were not declared.

    A planted fault is checked as by ``ffnn-jax verify``: without what only compares a rule with
    itself, and at ordinary magnitudes.
    """
    result = _verified(case)
    if not result:
        raise AssertionError(result.verdict)
    return "; ".join(result.conventions)


def _verified(case: Case) -> VerificationResult:
    if not case.sizes:
        return check_vjp(case.rule)
    checks = FAULT_CHECKS if case.wrong else CHECKS
    return check_rules(case.name, [(case.rule, case.sizes)], only=checks, explained=False)


def jax_check_grads(example: Example) -> None:
    """``jax.test_util.check_grads`` in forward mode where there is one, and in reverse mode."""
    modes = ("fwd", "rev") if _has_forward_mode(example) else ("rev",)
    check_grads(example.function, example.arrays, order=example.order, modes=modes)


def finite_differences(example: Example) -> None:
    """Central differences of every coordinate, for a random cotangent: what one writes by hand."""
    generator = np.random.default_rng(example.seed)
    function = example.compiled
    z, pull = jax.vjp(example.function, *example.arrays)
    dz = [_normal(generator, leaf) for leaf in z]
    for place, cotangent in enumerate(pull(tuple(map(jax.numpy.asarray, dz)))):
        slopes = _slopes(function, example.arrays, place, dz)
        np.testing.assert_allclose(cotangent, slopes, _RTOL, _ATOL)


def _slopes(function: Any, arrays: Any, place: int, dz: Any) -> np.ndarray:
    """The slope of <function, dz> in every entry of one array."""
    array = arrays[place]
    slopes = np.zeros(array.shape, array.dtype)

    def slope(index: tuple[int, ...], step: complex) -> float:
        values = []
        for sign in (1, -1):
            moved = array.copy()
            moved[index] += sign * step
            values.append(function(*arrays[:place], moved, *arrays[place + 1 :]))
        changes = zip(*values, dz, strict=True)
        total = sum(np.sum((np.asarray(a) - np.asarray(b)) * d) for a, b, d in changes)
        return np.real(total) / (2 * _STEP)

    for index in np.ndindex(array.shape):
        slopes[index] = slope(index, _STEP)
        if np.iscomplexobj(array):
            slopes[index] -= 1j * slope(index, 1j * _STEP)
    return slopes


def _has_forward_mode(example: Example) -> bool:
    try:
        jax.jvp(example.function, example.arrays, example.arrays)
    except Exception:
        return False
    return True


def _normal(generator: np.random.Generator, leaf: Any) -> np.ndarray:
    drawn = generator.normal(size=leaf.shape)
    if np.iscomplexobj(leaf):
        drawn = drawn + 1j * generator.normal(size=leaf.shape)
    return drawn.astype(leaf.dtype)


def on_examples(check: Callable[[Example], None]) -> Checker:
    """The checker that applies this check to a case in float64 at random arguments."""

    def checker(case: Case) -> str:
        with jax.enable_x64(True):
            for example in examples(case):
                check(example)
        return ""

    return checker


CHECKERS: dict[str, Checker] = {
    OURS: ours,
    "`jax.test_util.check_grads`": on_examples(jax_check_grads),
    "finite differences": on_examples(finite_differences),
}
with contextlib.suppress(ModuleNotFoundError):  # an optional column
    from experiments.wrong_gradients._torch import torch_gradcheck

    CHECKERS[TORCH] = on_examples(torch_gradcheck)
