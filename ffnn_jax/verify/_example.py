"""The smallest failing input, as a program that shows the failure."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import names_in
from ffnn_jax.verify._differences import compare_differences
from ffnn_jax.verify._explain import explain
from ffnn_jax.verify._layout import arrays_of, is_array, is_inexact, is_key
from ffnn_jax.verify._result import Check, worst_of
from ffnn_jax.verify._rule import name_of
from ffnn_jax.verify._sharded import import_path
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._values import compare_results

_TRIALS = 60
_LARGEST_PRINTED = 60
_SMALL_SIZES = (1, 2)
_LITERALS = (bool, int, float, complex, str, type(None))
Example = tuple[Subject, list[Any], Any]


def failing_program(subject: Subject, checks: Sequence[Check]) -> str:
    """A program with the smallest input found at which value or cotangents are wrong, or ""."""
    failed = [check for check in checks if not check.passed and check.name != "kinks"]
    if not failed:  # only a convention, with which the reference need not agree
        return ""
    examples = _examples(subject, failed)
    found = next((example for example in examples if _comparison(*example)), None)
    return "\n".join(_lines(*_simplified(*found))) if found else ""


def _examples(subject: Subject, failed: Sequence[Check]) -> Iterator[Example]:
    """A draw at each of the smallest sizes, then where the checks failed."""
    for size in _SMALL_SIZES if subject.rule.draw is None else ():
        with contextlib.suppress(Exception):  # the operation may not accept these sizes
            sizes = dict.fromkeys(names_in(subject.rule.words), size)
            small = Subject.of(subject.rule, sizes)
            yield small, *small.draw_pair(np.random.default_rng(0), sizes)
    for args, dz in (check.example for check in failed if check.example):
        if len(args) == len(subject.names):
            yield subject, list(args), dz


def _comparison(subject: Subject, args: list[Any], dz: Any) -> Check | None:
    """The failed comparison at this input; None if all is right, or it cannot be evaluated."""
    try:
        if subject.reference is None:
            generator = np.random.default_rng(0)
            found = compare_differences("differences", subject, args, dz, generator, "")
            row = worst_of(found)
        else:
            ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
            row = compare_results("z", subject, args, dz, ours, theirs, "", with_value=True)
    except Exception:
        return None
    return None if row.passed else row


def _simplified(subject: Subject, args: list[Any], dz: Any) -> Example:
    """The same failure with rounder numbers, one entry at a time."""
    leaves, tree = jax.tree.flatten(dz)
    arrays = [np.array(a, copy=True) for a in (*args, *leaves)]
    current = arrays[: len(args)], tree.unflatten(arrays[len(args) :])  # views of these arrays
    plain = [bool(word and word.domain in ("", ">0")) for word in subject.words]
    free = [p and is_inexact(a) for p, a in zip(plain, args, strict=True)] + [True] * len(leaves)
    entries = ((a, i) for a, f in zip(arrays, free, strict=True) if f for i in np.ndindex(a.shape))
    trials = 0
    for array, index in entries:
        for simpler in (1.0, np.round(array[index], 1)):
            before = array[index]
            if trials == _TRIALS or before == simpler:
                continue
            trials, array[index] = trials + 1, simpler
            if _comparison(subject, *current):
                break
            array[index] = before
    return subject, *current


def _lines(subject: Subject, args: list[Any], dz: Any) -> Iterator[str]:
    if sum(map(np.size, jax.tree.leaves((args, dz)))) > _LARGEST_PRINTED:
        return
    full = subject.layout.arguments(args)
    codes = [code_of(part) or "" for part in (*full, dz)]
    others = jax.tree.leaves(jax.eval_shape(subject.outputs, *args)[1])
    row = _comparison(subject, args, dz)
    if row is None or others or "" in codes:
        return
    imports, name = _import_line(subject.rule.op)
    yield "import jax\nimport numpy as np"
    yield from imports
    yield 'jax.config.update("jax_enable_x64", True)' if subject.wide else ""
    # Static arguments of the operation go into a lambda.
    free = [f"a{i}" if any(map(is_array, jax.tree.leaves(a))) else "" for i, a in enumerate(full)]
    if "" in free:
        inner = ", ".join(f or code for f, code in zip(free, codes[:-1], strict=True))
        name = f"lambda {', '.join(filter(None, free))}: {name}({inner})"
    given = [name, *(code for f, code in zip(free, codes[:-1], strict=True) if f)]
    yield f"z, pull = jax.vjp({', '.join(given)})"
    yield f"print(z, pull({codes[-1]}))"
    yield from (f"# {line.partition(': ')[2]}" for line in explain([row]))


def _import_line(op: Callable[..., Any]) -> tuple[list[str], str]:
    """How a program gets the operation, and the expression for it."""
    path, name = import_path(op), name_of(op)
    if path is None:
        alias = name if name.isidentifier() else "op"
        return [f"# {alias}: the function that was checked"], alias
    lines = [f"from {path['module']} import {path['name']}"]
    if isinstance(op, functools.partial):
        settings = ", ".join(f"{key}={value!r}" for key, value in path["settings"].items())
        return ["import functools", *lines], f"functools.partial({path['name']}, {settings})"
    return lines, path["name"]


def code_of(tree: Any) -> str | None:
    """An expression for a pytree of arrays and literals; None for anything else."""
    if is_array(tree):
        if is_key(tree):
            return f"jax.random.wrap_key_data({code_of(arrays_of(tree)[0])})"
        dtype = "" if tree.dtype in (np.float64, np.complex128) else f", np.{tree.dtype}"
        return f"np.array({np.asarray(tree).tolist()!r}{dtype})"
    if not isinstance(tree, dict) and type(tree) not in (list, tuple):
        return repr(tree) if isinstance(tree, _LITERALS) else None
    codes = [code_of(value) for value in (tree.values() if isinstance(tree, dict) else tree)]
    if None in codes:
        return None
    if isinstance(tree, dict):
        return f"{{{', '.join(f'{key!r}: {code}' for key, code in zip(tree, codes, strict=True))}}}"
    inside = ", ".join(map(str, codes))
    return f"[{inside}]" if isinstance(tree, list) else f"({inside}{',' * (len(codes) == 1)})"
