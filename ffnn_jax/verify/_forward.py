"""Checks of the function itself where it is not differentiated, and of forward mode."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import Sizes, at_sizes
from ffnn_jax.verify._compare import allowed_error, compare, conditioning, largest, rounding_slack
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._subject import Function, Subject, dot, in_float64, with_reals
from ffnn_jax.verify._values import draw_results

_PRIMAL = 1e-12  # in float64; fusion moves bits
_NARROW_PRIMAL = 1e-6
_ROUNDINGS = 64 * float(np.finfo(np.float64).eps)


def check_primal(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Check]:
    """Without differentiation, the operation returns what its forward rule returns."""
    allowed = _PRIMAL if subject.wide else _NARROW_PRIMAL
    for args, dz, (z, _), theirs in draw_results(subject, sizes, seed):
        slack = rounding_slack(subject, args, dz, theirs)[: len(jax.tree.leaves(z))]
        values, where = ((subject.value(*args),), (z,)), at_sizes(sizes)
        yield compare("primal", ("z",), *values, allowed, where, slack, example=(args, dz))


def check_jvp(subject: Subject, sizes: Sizes, seed: int, scaled: bool = True) -> Iterator[Check]:
    """The tangent of an operation that has forward mode equals the reference's."""
    generator = np.random.default_rng(seed)
    draws = [(at_sizes(sizes), subject.draw(generator, sizes))]
    for name, args in subject.scaled_draws(sizes, seed) if scaled else ():
        draws.append((f" at {name}", args))
    for where, args in draws:
        tangents = subject.draw_direction(generator, args)
        yield _compare_tangents(subject, args, tangents, where)


def has_forward_mode(subject: Subject, sizes: Sizes) -> bool:
    """Whether forward mode is defined; jax raises a TypeError for a ``custom_vjp``."""
    generator = np.random.default_rng(0)
    args = subject.draw(generator, sizes)
    tangents = subject.draw_direction(generator, args)
    try:
        with jax.enable_x64(subject.wide):
            _compiled_tangents(subject.op, subject.reals)(args, tangents)
    except Exception as error:  # the row will say what else is wrong
        return "custom_vjp" not in str(error)
    return True


def _compare_tangents(subject: Subject, args: Any, tangents: Any, where: str) -> Check:
    ours = _compiled_tangents(subject.op, subject.reals)(args, tangents)
    allowed, floor = allowed_error(subject, args), _ROUNDINGS * largest(tangents)
    if subject.reference is None:  # <J v, u> = <v, J^T u>, with the rule's own cotangents
        u = subject.draw_cotangent(np.random.default_rng(0), args)
        left, right = dot(ours, u), dot(tangents, subject.pull(args, u)[1])
        return compare("jvp", ("dz",), (left,), (right,), allowed, where, floor)
    pushed = in_float64(_compiled_tangents(subject.reference, subject.reals))
    theirs = pushed(args, tangents)
    explained = conditioning(lambda nearby: pushed(nearby, tangents), subject, args, theirs)
    slack = [leaf + floor for leaf in explained]
    return compare("jvp", ("dz",), (ours,), (theirs,), allowed, where, slack)


@functools.lru_cache(maxsize=32)
def _compiled_tangents(f: Function, reals: tuple[int, ...]) -> Function:
    def tangents_of(args: Any, tangents: Any) -> Any:
        chosen = [args[i] for i in reals]
        return jax.jvp(lambda *moved: f(*with_reals(args, reals, moved)), chosen, tangents)[1]

    return jax.jit(tangents_of)
