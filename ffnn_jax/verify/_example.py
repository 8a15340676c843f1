"""The smallest failing input, as a program that shows the failure."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify._arguments import names_in
from ffnn_jax.verify._differences import compare_differences
from ffnn_jax.verify._explain import explain
from ffnn_jax.verify._layout import arrays_of, is_array, is_inexact
from ffnn_jax.verify._result import Check
from ffnn_jax.verify._rule import Rule, name_of
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
    examples = [check.example for check in failed if check.example]
    found = _smallest(subject, examples)
    if found is None:
        return ""
    return "\n".join(_lines(found[0], _simplified(found)))


def _smallest(subject: Subject, examples: Sequence[Any]) -> Example | None:
    """A draw at the smallest sizes that fails, or one of the examples."""
    for size in _SMALL_SIZES if subject.rule.draw is None else ():
        for drawn in _draw_at(subject.rule, size):
            if _comparison(*drawn) is not None:
                return drawn
    for args, dz in examples:
        if len(args) == len(subject.names) and _comparison(subject, list(args), dz) is not None:
            return subject, list(args), dz
    return None


def _draw_at(rule: Rule, size: int) -> Iterator[Example]:
    sizes = dict.fromkeys(names_in(rule.words), size)
    generator = np.random.default_rng(0)
    try:
        subject = Subject.of(rule, sizes)
        args = subject.draw(generator, sizes)
        yield subject, args, subject.draw_cotangent(generator, args)
    except Exception:  # the operation does not accept these sizes
        return


def _comparison(subject: Subject, args: list[Any], dz: Any) -> Check | None:
    """The failed comparison at this input; None if all is right, or it cannot be evaluated."""
    try:
        if subject.reference is None:
            generator = np.random.default_rng(0)
            row = compare_differences("differences", subject, args, dz, generator, "")
        else:
            ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
            row = compare_results("z", subject, args, dz, ours, theirs, "", with_value=True)
    except Exception:
        return None
    return None if row.passed else row


def _simplified(example: Example) -> Example:
    """The same failure with rounder numbers, one entry at a time."""
    subject, args, dz = example
    leaves, tree = jax.tree.flatten(dz)
    plain = [word is not None and word.domain in ("", ">0") for word in subject.words]
    arrays = [np.array(a, copy=True) for a in (*args, *leaves)]
    count, trials = len(args), 0
    for place, array in enumerate(arrays):
        if place < count and not (plain[place] and is_inexact(array)):
            continue
        for index in np.ndindex(array.shape):
            for simpler in (1.0, np.round(array[index], 1)):
                if trials == _TRIALS or array[index] == simpler:
                    continue
                trials, before = trials + 1, array[index]
                array[index] = simpler
                if _comparison(subject, arrays[:count], tree.unflatten(arrays[count:])) is None:
                    array[index] = before
                else:
                    break
    return subject, arrays[:count], tree.unflatten(arrays[count:])


def _lines(subject: Subject, example: Example) -> Iterator[str]:
    _, args, dz = example
    if sum(np.size(leaf) for leaf in jax.tree.leaves((args, dz))) > _LARGEST_PRINTED:
        return
    row = _comparison(subject, args, dz)
    call = _call(subject, args)
    others = jax.tree.leaves(jax.eval_shape(subject.outputs, *args)[1])
    if call is None or row is None or others:
        return
    imports, expression = call
    yield "import jax\nimport numpy as np"
    yield from imports
    yield 'jax.config.update("jax_enable_x64", True)' if subject.wide else ""
    yield f"z, pull = jax.vjp({expression})"
    yield f"print(z, pull({code_of(dz)}))"
    yield from (f"# {line.partition(': ')[2]}" for line in explain([row]))


def _call(subject: Subject, args: list[Any]) -> tuple[list[str], str] | None:
    """The imports and the arguments of ``jax.vjp``."""
    imported = _import_line(subject.rule.op)
    full = _arguments(subject, args)
    codes = [code_of(arg) for arg in full]
    if None in codes:
        return None
    lines, name = imported
    static = [not any(map(is_array, jax.tree.leaves(arg))) for arg in full]
    if not any(static):
        return lines, ", ".join([name, *map(str, codes)])
    names = [f"a{i}" for i in range(len(full))]
    inner = [code if s else n for code, n, s in zip(codes, names, static, strict=True)]
    free = [n for n, s in zip(names, static, strict=True) if not s]
    given = [str(code) for code, s in zip(codes, static, strict=True) if not s]
    function = f"lambda {', '.join(free)}: {name}({', '.join(map(str, inner))})"
    return lines, ", ".join([function, *given])


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


def _arguments(subject: Subject, args: list[Any]) -> Any:
    """The arguments as the operation receives them, with arrays of numpy."""
    args_tree = subject.layout.arguments(args)
    return jax.tree.map(
        lambda leaf: (
            np.asarray(leaf)
            if is_array(leaf) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else leaf
        ),
        args_tree,
    )


def code_of(tree: Any) -> str | None:
    """An expression for a pytree of arrays and literals; None for anything else."""
    if isinstance(tree, dict):
        items = [(repr(key), code_of(value)) for key, value in tree.items()]
        return None if None in [c for _, c in items] else _braced(items)
    if type(tree) in (list, tuple):
        codes = [code_of(value) for value in tree]
        if None in codes:
            return None
        inside = ", ".join(map(str, codes))
        return f"[{inside}]" if isinstance(tree, list) else f"({inside}{',' * (len(codes) == 1)})"
    if is_array(tree):
        if jnp.issubdtype(tree.dtype, jax.dtypes.prng_key):
            return f"jax.random.wrap_key_data({code_of(arrays_of(tree)[0])})"
        dtype = "" if tree.dtype in (np.float64, np.complex128) else f", np.{tree.dtype}"
        return f"np.array({np.asarray(tree).tolist()!r}{dtype})"
    return repr(tree) if isinstance(tree, _LITERALS) else None


def _braced(items: Sequence[tuple[str, str | None]]) -> str:
    return "{" + ", ".join(f"{key}: {code}" for key, code in items) + "}"
