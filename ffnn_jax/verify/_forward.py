"""Checks of the function itself where it is not differentiated, and of forward mode."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import allowed_error, compare, rounding_slack
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._subject import Function, Subject, in_float64, with_reals
from ffnn_jax.verify._values import dot, draw_results

_PRIMAL = 1e-12  # in float64; fusion moves bits
_NARROW_PRIMAL = 1e-6
_NUDGE = 4 * float(np.finfo(np.float64).eps)
_CONDITIONING = 1000.0


def check_primal(subject: Subject, sizes: Sizes, seed: int) -> Check:
    """Without differentiation, the operation returns what its forward rule returns.

    Detects a value that changes as soon as a gradient is taken.
    """
    allowed = _PRIMAL if subject.wide else _NARROW_PRIMAL
    rows = []
    for args, dz, (z, _), theirs in draw_results(subject, sizes, seed):
        slack = rounding_slack(subject, args, dz, theirs)[: len(jax.tree.leaves(z))]
        plain = subject.value(*args)
        row = compare("primal", ("z",), (plain,), (z,), allowed, at_sizes(sizes), slack)
        rows.append(dataclasses.replace(row, example=(args, dz)))
    return worst_of(rows)


def check_jvp(subject: Subject, sizes: Sizes, seed: int, scaled: bool = True) -> Check | None:
    """The tangent of an operation that has forward mode equals the reference's.

    Detects a ``custom_jvp`` with a wrong or NaN tangent that reverse mode does not use. Without a
    reference, it is compared with the rule's own cotangents, <J v, u> = <v, J^T u>.
    """
    if subject.rule.backward is not None or not has_forward_mode(subject, sizes):
        return None
    generator = np.random.default_rng(seed)
    draws = [(at_sizes(sizes), subject.draw(generator, sizes))]
    far = subject.scaled_draws(sizes, seed) if scaled else ()
    draws += [(f" at {name}", args) for name, args in far]
    rows = []
    for where, args in draws:
        tangents = [_tangent(generator, args[i]) for i in subject.reals]
        rows.append(_compare_tangents(subject, args, tangents, where))
    return worst_of(rows)


def has_forward_mode(subject: Subject, sizes: Sizes) -> bool:
    """Whether forward mode is defined; jax raises a TypeError for a ``custom_vjp``."""
    generator = np.random.default_rng(0)
    args = subject.draw(generator, sizes)
    tangents = [_tangent(generator, args[i]) for i in subject.reals]
    try:
        with jax.enable_x64(subject.wide):
            _compiled_tangents(subject.op, subject.reals)(args, tangents)
    except Exception as error:  # the row will say what else is wrong
        return "custom_vjp" not in str(error)
    return True


def _compare_tangents(subject: Subject, args: Any, tangents: Any, where: str) -> Check:
    ours = _compiled_tangents(subject.op, subject.reals)(args, tangents)
    if subject.reference is None:
        return _compare_pairing(subject, args, tangents, ours, where)
    pushed = in_float64(_compiled_tangents(subject.reference, subject.reals))
    theirs = pushed(args, tangents)
    nearby = [np.asarray(args[i]) * (1 + _NUDGE) for i in subject.reals]
    again = pushed(with_reals(args, subject.reals, nearby), tangents)
    with np.errstate(invalid="ignore"):
        slack = [
            np.nan_to_num(_CONDITIONING * np.abs(np.asarray(a) - np.asarray(b))) + _floor(tangents)
            for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(theirs), strict=True)
        ]
    allowed = allowed_error(subject, args)
    return compare("jvp", ("dz",), (ours,), (theirs,), allowed, where, slack)


def _compare_pairing(subject: Subject, args: Any, tangents: Any, ours: Any, where: str) -> Check:
    """<J v, u> = <v, J^T u>, with the rule's own cotangents on the right."""
    u = subject.draw_cotangent(np.random.default_rng(0), args)
    _, cotangents = subject.pull(args, u)
    left, right = dot(ours, u), dot(tuple(tangents), cotangents)
    allowed = allowed_error(subject, args)
    return compare("jvp", ("dz",), (left,), (right,), allowed, where, _floor(tangents))


def _floor(tangents: Any) -> float:
    largest = max((float(np.abs(t).max(initial=0.0)) for t in tangents), default=0.0)
    return 64 * float(np.finfo(np.float64).eps) * largest


def _tangent(generator: np.random.Generator, array: np.ndarray) -> np.ndarray:
    tangent = generator.normal(size=array.shape)
    return tangent + 1j * generator.normal(size=array.shape) if np.iscomplexobj(array) else tangent


@functools.lru_cache(maxsize=256)
def _compiled_tangents(f: Function, reals: tuple[int, ...]) -> Function:
    return jax.jit(functools.partial(_tangents, f, reals))


def _tangents(f: Function, reals: tuple[int, ...], args: Any, tangents: Any) -> Any:
    def of_reals(*chosen: Any) -> Any:
        return f(*with_reals(args, reals, chosen))

    return jax.jvp(of_reals, [args[i] for i in reals], list(tangents))[1]
