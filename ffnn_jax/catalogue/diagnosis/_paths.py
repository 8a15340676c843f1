"""The paths of a traced function: its gradient with one of them changed, and a text for each.

A value is named by the formula that computes it, as in ``sum(exp(x))``. It is held constant, in all
of the function or in one operation; or a derivative on the way is left out, or a constant.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

PART = "the part of {d} that depends on "
_BUT = "{d} is right but for "
_INFIX = {"add": "+", "add_any": "+", "sub": "-", "mul": "*", "div": "/", "dot_general": "@"}
_NEUTRAL = {"add": 0, "sub": 0, "mul": 1, "div": 1}
_WORDS = {"logistic": "sigmoid", "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min"}
_SAME = (
    "broadcast_in_dim", "convert_element_type", "copy", "expand_dims", "reshape", "squeeze",
    "stop_gradient",
)  # fmt: skip
_WITH_SLOPES = (
    "abs", "cos", "cosh", "erf", "exp", "expm1", "integer_pow", "log", "log1p", "logistic", "rsqrt",
    "sin", "sinh", "sqrt", "square", "tan", "tanh",
)  # fmt: skip
_LONGEST, _MOST = 60, 600  # characters of a name; paths
Named = tuple[Any, str]
Gate = Callable[[str, Any, Any], Any]  # of a text, a value, and what replaces it on a changed path


class Paths(NamedTuple):
    """A traced function."""

    texts: list[str]  # one for each path, with {d} for what it is a path of
    pull: Callable[[Any, Any, Any], Any]  # (args, leaves of dz, paths to keep) -> z, cotangents
    values: Callable[[Any], dict[str, np.ndarray]]  # of args: those on the way, by name

    @property
    def all(self) -> np.ndarray:
        """All paths to keep."""
        return np.ones(len(self.texts), bool)


def trace(function: Any, names: Sequence[str], reals: Sequence[int], args: Any) -> Paths:
    """Traces a function of arrays, also through rules of its own.

    Raises:
        ValueError: it has too many paths.
    """
    closed = jax.make_jaxpr(lambda *arrays: jax.tree.leaves(function(*arrays)))(*args)

    def run(args: Any, gate: Gate) -> list[Any]:
        named = [(jnp.asarray(array), name) for array, name in zip(args, names, strict=True)]
        return [value for value, _ in _evaluate(closed, named, gate)]

    def pull(args: Any, dz: Any, kept: Any) -> Any:
        def value(*chosen: Any) -> Any:
            paths, given = iter(range(len(texts))), dict(zip(reals, chosen, strict=True))
            replaced = [given.get(i, arg) for i, arg in enumerate(args)]
            return run(replaced, lambda _, v, other: jnp.where(kept[next(paths)], v, other))

        z, back = jax.vjp(value, *(args[i] for i in reals))
        return [*z, *back([jnp.asarray(d, leaf.dtype) for d, leaf in zip(dz, z, strict=True)])]

    def values(args: Any) -> dict[str, np.ndarray]:
        found: dict[str, Any] = {}
        run(args, lambda text, value, _: (found.setdefault(text, value), value)[1])
        return {t.removeprefix(PART): np.asarray(v) for t, v in found.items() if PART in t}

    texts: list[str] = []
    jax.eval_shape(lambda: run(args, lambda text, value, _: (texts.append(text), value)[1]))
    if len(texts) > _MOST:
        raise ValueError(f"{len(texts)} paths are more than {_MOST}")
    return Paths(texts, jax.jit(pull), values)


def _evaluate(closed: Any, args: Sequence[Named], gate: Gate) -> list[Named]:
    """The named outputs of a jaxpr, through the functions that it calls."""
    jaxpr, consts = closed.jaxpr, [(value, _number(value)) for value in closed.consts]
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(atom: Any) -> Named:
        return (atom.val, _number(atom.val)) if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        given, inner = [read(atom) for atom in equation.invars], _called(equation)
        outputs = _evaluate(inner, given, gate) if inner else _outputs(equation, given, gate)
        known.update(zip(equation.outvars, outputs, strict=False))
    return [read(atom) for atom in jaxpr.outvars]


def _called(equation: Any) -> Any:
    """The jaxpr of the function that an equation calls; None for loops and branches, too."""
    inner = equation.params.get("call_jaxpr", equation.params.get("jaxpr"))
    if inner is None or equation.primitive.name in ("scan", "while", "cond"):
        return None
    return inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ())


def _outputs(equation: Any, given: list[Named], gate: Gate) -> Iterator[Named]:
    primitive, name = equation.primitive, _name(equation, [name for _, name in given])
    values, same = [value for value, _ in given], primitive.name in _SAME
    for i, (value, text) in enumerate(given if len(given) > 1 and not same else ()):
        if not hasattr(equation.invars[i], "val"):
            values[i] = _gated(gate, f"{PART}{text} in {name}", value)
        elif primitive.name in _NEUTRAL and jnp.issubdtype(jnp.result_type(value), jnp.floating):
            left_out = jnp.full_like(value, _NEUTRAL[primitive.name])
            values[i] = gate(f"{_BUT}the {text} in {name}, which was left out", value, left_out)
    results = primitive.bind(*values, **equation.params)
    results = list(results) if primitive.multiple_results else [results]
    if primitive.name in _WITH_SLOPES:
        straight = jax.lax.stop_gradient(results[0] - values[0]) + values[0]
        results = [gate(f"{_BUT}the derivative of {name}, left out", results[0], straight)]
    return ((r if same else _gated(gate, PART + name, r), name) for r in results)


def _gated(gate: Gate, text: str, value: Any) -> Any:
    is_real = jnp.issubdtype(jnp.result_type(value), jnp.inexact) and jnp.size(value)
    return gate(text, value, jax.lax.stop_gradient(value)) if is_real else value


def _name(equation: Any, names: list[str]) -> str:
    primitive = equation.primitive.name
    inside = [f"({n})" if " " in n and not re.fullmatch(r"\w+\(.*\)", n) else n for n in names]
    if primitive in _SAME:
        return names[0]
    if primitive == "div" and names[0].startswith("sum(") and names[1].isdecimal():
        text = f"mean{names[0][3:]}"
    elif primitive in _INFIX:
        text = f" {_INFIX[primitive]} ".join(inside)
    elif primitive in ("integer_pow", "square"):
        text = f"{inside[0]}^{equation.params.get('y', 2)}"
    else:
        text = f"{_WORDS.get(primitive, primitive)}({', '.join(names)})"
    return text if len(text) <= _LONGEST else f"{_WORDS.get(primitive, primitive)}(...)"


def _number(value: Any) -> str:
    return f"{np.asarray(value).item():g}" if np.size(value) == 1 else "a constant"
