"""What a failure looks like: entries, patterns, and the smallest failing input as a program."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify._arguments import names_in
from ffnn_jax.verify._differences import compare_differences
from ffnn_jax.verify._layout import arrays_of, is_array, is_inexact, is_key
from ffnn_jax.verify._result import Check, Part, worst_of
from ffnn_jax.verify._rule import name_of
from ffnn_jax.verify._sharded import import_path
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._values import compare_results

_SAME = 1e-3  # relative, of ratios and transposed arrays
_SHOWN = 6
_TRIALS = 60
_LARGEST_PRINTED = 60
_SMALL_SIZES = (1, 2)
_LITERALS = (bool, int, float, complex, str, type(None))
Example = tuple[Subject, list[Any], Any]


def explain(checks: Sequence[Check]) -> list[str]:
    """One line for each array that differs, from the first check in which it does."""
    lines: dict[str, str] = {}
    failed = [check for check in checks if not check.passed]
    if any(check.name == "cotangents" for check in failed):  # then its derivatives are wrong, too
        failed = [check for check in failed if check.name != "grad of grad"]
    for check in failed:
        for part in check.parts:
            lines.setdefault(part.name, f"{check.name}: {_line(part)}")
    more = [f"and {len(lines) - _SHOWN} more arrays"] if len(lines) > _SHOWN else []
    return list(lines.values())[:_SHOWN] + more


def looks_deliberate(checks: Sequence[Check]) -> bool:
    """Whether the cotangents are those of a scaled, reversed or straight-through gradient."""
    failed = {check.name: check.parts for check in checks if not check.passed}
    if "value" in failed or "cotangents" not in failed or "differences" not in failed:
        return False
    parts = failed["differences"]
    return any(not part.expected.any() or _close(part.got, -part.expected) for part in parts)


def _line(part: Part) -> str:
    index = part.worst
    got, expected = part.got[index], part.expected[index]
    texts = _text(got), _text(expected)
    if texts[0] == texts[1]:
        texts = f"{got + 0:.17g}", f"{expected + 0:.17g}"
    at = str(list(map(int, index))) if index else ""
    ratio = f", ratio {_text(got / expected)}" if expected and got and np.isfinite(got) else ""
    wrong, size = int(part.wrong.sum()), part.got.size
    count = f" ({wrong} of {size} entries differ)" if size > 1 else ""
    pattern = next((f"; {text}" for text in patterns(part)), "")
    return f"{part.name}{at} is {texts[0]}, expected {texts[1]}{ratio}{count}{pattern}"


def patterns(part: Part) -> Iterator[str]:
    """What the wrong array looks like, the most specific description first."""
    got, expected = part.got, part.expected
    finite = np.isfinite(got) & np.isfinite(expected)
    if np.isnan(got).all():
        yield "NaN everywhere"
    if not finite.any() or got.size < 2:
        return
    if not got.any() and expected.any():
        yield "zero everywhere"
    if finite.all() and _close(got, -expected):
        yield "the sign is reversed"
    if finite.all() and (ratio := _constant_ratio(got, expected)) is not None:
        yield f"the ratio is {_text(ratio)} everywhere{_meaning(ratio, got.shape)}"
    if got.ndim == 2 and got.shape[0] == got.shape[1] and _close(got, expected.T):
        yield "the matrix is transposed"
    added = got - expected if finite.all() and expected.any() else np.zeros(1)
    if added.all() and _close(added, np.full_like(added, added.flat[0])):
        yield f"a constant {_text(added.flat[0])} is added everywhere"
    for axis in range(got.ndim):
        hit = np.flatnonzero(part.wrong.any(axis=tuple({*range(got.ndim)} - {axis})))
        if len(hit) == 1 < got.shape[axis]:
            yield f"only index {hit[0]} of axis {axis} differs"
            return


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= _SAME * (np.abs(b) + 1e-30)))


def _constant_ratio(got: np.ndarray, expected: np.ndarray) -> float | None:
    nonzero = expected != 0
    if nonzero.sum() < 2 or got[~nonzero].any():
        return None
    ratios = got[nonzero] / expected[nonzero]
    ratio = np.median(ratios.real)
    constant = ratio and np.all(np.abs(ratios - ratio) <= _SAME * abs(ratio))
    return float(ratio) if constant and f"{ratio:.6g}" != "1" else None


def _meaning(ratio: float, shape: tuple[int, ...]) -> str:
    """Which size of the array the ratio is, if it is one."""
    for axis, size in enumerate(shape):
        if size > 2 and abs(ratio - size) <= _SAME * size:  # 2 may be a factor of another origin
            return f", the size of axis {axis}"
        if size > 2 and abs(ratio * size - 1) <= _SAME:
            return f", 1 over the size of axis {axis}"
    is_count = len(shape) > 1 and abs(ratio - math.prod(shape)) <= _SAME * ratio
    return ", the number of entries" if is_count else ""


def _text(value: Any) -> str:
    return f"{value + 0:.6g}"


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
