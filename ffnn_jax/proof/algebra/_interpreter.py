"""Runs a traced function on exact elements of a field in place of floating-point numbers.

An array of real numbers is an object array of elements; integers and booleans stay numbers, and
what depends on them alone is computed by jax. A primitive that is not listed here is an error.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from ffnn_jax.proof.algebra._elementwise import elementwise
from ffnn_jax.proof.algebra._entries import (
    bilinear,
    is_symbolic,
    linear,
    moved,
    objects,
    scattered_product,
)
from ffnn_jax.proof.algebra._field import Element, Field, UndecidedError
from ffnn_jax.proof.algebra._functions import exact

Sign = Callable[[Element], int]
_CALLS = (
    "jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call",
    "custom_vjp_call_jaxpr", "checkpoint", "remat", "remat2",
)  # fmt: skip
_MOVES = (
    "broadcast_in_dim", "concatenate", "copy", "dynamic_slice", "dynamic_update_slice",
    "expand_dims", "gather", "pad", "reshape", "rev", "scatter", "slice", "split", "squeeze",
    "stack", "tile", "transpose", "unstack",
)  # fmt: skip
_LINEAR = ("cumsum", "reduce_sum", "reduce_window_sum", "scatter-add")
_BILINEAR = ("conv_general_dilated", "dot_general")
_IDENTITIES = ("convert_element_type", "optimization_barrier", "reduce_precision", "stop_gradient")
_COMPARED = {
    "eq": lambda s: s == 0, "ne": lambda s: s != 0, "lt": lambda s: s < 0,
    "le": lambda s: s <= 0, "gt": lambda s: s > 0, "ge": lambda s: s >= 0,
}  # fmt: skip
_TAKE_INFINITIES = "clamp", "is_finite", "max", "min"
_REDUCED = {"argmax": 1, "argmin": -1, "reduce_max": 1, "reduce_min": -1}


def known_primitives() -> list[str]:
    """The names of jax's primitives that a proof can interpret; any other leaves it undecided."""
    own = elementwise(Field(0), lambda a, b: 0, lambda a, b: 0)
    alone = "cond", "platform_index", "reduce_prod", "scan", "scatter-mul", "select_n"
    listed = (*_CALLS, *_MOVES, *_LINEAR, *_BILINEAR, *_IDENTITIES, *_COMPARED, *_REDUCED)
    return sorted({*listed, *own, *alone})


class Interpreter:
    """Runs jaxprs over a field.

    Attributes:
        used: the names of the primitives that were run on elements.
    """

    def __init__(self, field: Field, sign: Sign, tie: Sign | None = None) -> None:
        """An interpreter over this field.

        Args:
            field: the field of the elements.
            sign: the sign of an element, which decides comparisons.
            tie: the sign by which max, min and abs choose; by default the same.
        """
        self.field, self._sign, self._tie = field, sign, tie or sign
        self.used: set[str] = set()
        self._functions = elementwise(field, self._compare, self._choice)

    def __call__(self, closed: Any, args: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs of a closed jaxpr."""
        jaxpr, consts = closed.jaxpr, map(self._lift, closed.consts)
        known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

        def read(atom: Any) -> np.ndarray:
            return self._lift(atom.val) if hasattr(atom, "val") else known[atom]

        for equation in jaxpr.eqns:
            values = self._outputs(equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, values, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _outputs(self, equation: Any, args: list[Any]) -> Sequence[Any]:
        name, params = equation.primitive.name, equation.params
        if name in _CALLS:
            return self(_closed(params), args)
        if name == "cond":
            return self._cond(params["branches"], *args)
        if name == "scan":
            return self._scan(params, args)
        if name == "platform_index":
            return [None]
        if not any(map(is_symbolic, args)):
            found = equation.primitive.bind(*args, **params)
            found = found if equation.primitive.multiple_results else [found]
            return list(map(self._lift, found))
        self.used.add(name)
        with jax.enable_x64(True):  # positions and sums are exact, whatever the function's dtypes
            found = self._of_elements(equation, name, args)
        return found if equation.primitive.multiple_results else [found]

    def _of_elements(self, equation: Any, name: str, args: list[Any]) -> Any:
        params = equation.params
        if name in _IDENTITIES:
            return self._identity(equation, args)
        if name in self._functions:
            args = args if name in _TAKE_INFINITIES else [_finite(self.field, a) for a in args]
            return _apply(self._functions[name], args, params)
        if name in _COMPARED:
            return np.array(_apply(lambda a, b: _COMPARED[name](self._compare(a, b)), args), bool)
        if name in _MOVES:
            return moved(equation, args)
        if name in _LINEAR:
            return linear(self.field, equation, args)
        if name in _BILINEAR:
            return bilinear(self.field, equation, *args)
        if name == "scatter-mul":
            return scattered_product(equation, *args)
        if name == "reduce_prod":
            return self._rows(args[0], params["axes"], lambda row: math.prod(row))
        if name in _REDUCED:
            return self._extreme(equation, args[0])
        if name == "select_n":
            return _select(*args)
        raise UndecidedError(f"the primitive {name}")

    def _lift(self, value: Any) -> Any:
        """A number or array of them; real ones as elements, and infinities as they are."""
        if _is_key(value):
            return value
        array = np.asarray(value)
        if array.dtype.kind == "c":
            raise UndecidedError("complex numbers")
        if array.dtype.kind in "iub" or array.dtype == jax.dtypes.float0:
            return array
        numbers = array.astype(float).ravel().tolist()
        lifted = [exact(self.field, v) if math.isfinite(v) else v for v in numbers]
        return objects(lifted, array.shape)

    def _identity(self, equation: Any, args: list[Any]) -> Any:
        if equation.primitive.multiple_results:
            return args
        if not np.issubdtype(equation.outvars[0].aval.dtype, np.floating):
            raise UndecidedError("conversion of symbols to integers")
        return args[0]

    def _cond(self, branches: Sequence[Any], index: Any, *args: Any) -> Sequence[Any]:
        """The branch that is taken; of branches by platform, what all of them compute."""
        if index is not None:
            return self(branches[int(np.clip(index, 0, len(branches) - 1))], args)
        first, *others = (self(branch, args) for branch in branches)
        for other in others:
            for a, b in zip(first, other, strict=True):
                if not all(self._same(*pair) for pair in zip(a.ravel(), b.ravel(), strict=True)):
                    raise UndecidedError("platforms that compute different values")
        return first

    def _same(self, a: Any, b: Any) -> bool:
        return (a - b).is_zero if isinstance(a, Element) else a == b

    def _scan(self, params: Any, args: list[Any]) -> list[Any]:
        """Step after step, with the outputs of all steps stacked."""
        first, split = params["num_consts"], params["num_consts"] + params["num_carry"]
        consts, carry, inputs = args[:first], args[first:split], args[split:]
        steps = range(params["length"])[:: -1 if params["reverse"] else 1]
        rows = {}
        for step in steps:
            now = [np.asarray(x[step], x.dtype) for x in inputs]
            found = self(params["jaxpr"], [*consts, *carry, *now])
            carry, rows[step] = found[: len(carry)], found[len(carry) :]
        columns = zip(*(rows[step] for step in sorted(rows)), strict=True)
        return [*carry, *map(np.stack, columns)]

    def _extreme(self, equation: Any, values: np.ndarray) -> np.ndarray:
        """The largest or smallest entry along axes, or the place of the first of them."""
        name, axes = equation.primitive.name, equation.params["axes"]
        is_place = name.startswith("arg")
        compare = self._compare if is_place else self._choice

        def best(row: Sequence[Any]) -> int:
            found = 0
            for place in range(1, len(row)):
                if compare(row[place], row[found]) * _REDUCED[name] > 0:
                    found = place
            return found

        if is_place:
            return self._rows(values, axes, best).astype(equation.params["index_dtype"])
        return self._rows(values, axes, lambda row: row[best(row)])

    def _rows(
        self, values: np.ndarray, axes: Sequence[int], of_row: Callable[[Any], Any]
    ) -> np.ndarray:
        """A function of the entries along axes."""
        kept = [axis for axis in range(values.ndim) if axis not in axes]
        rows = values.transpose(*kept, *axes)
        shape = rows.shape[: len(kept)]
        return objects([of_row(row) for row in rows.reshape(math.prod(shape), -1)], shape)

    def _compare(self, a: Any, b: Any) -> int:
        return _order(a, b, self._sign)

    def _choice(self, a: Any, b: Any) -> int:
        return _order(a, b, self._tie)


def _order(a: Any, b: Any, sign: Sign) -> int:
    """The sign of a - b; infinities are numbers."""
    if isinstance(a, Element) and isinstance(b, Element):
        return sign(a - b)
    if a != a or b != b:
        raise UndecidedError("a comparison with NaN")
    a, b = (0.0 if isinstance(value, Element) else value for value in (a, b))
    return (a > b) - (a < b)


def _apply(function: Callable[..., Any], args: Sequence[Any], params: Any = None) -> np.ndarray:
    """A function of elements, entry by entry; arrays of numbers may be among them."""
    power = {"y": params["y"]} if params and "y" in params else {}
    arrays = np.broadcast_arrays(*(np.asarray(a, object) for a in args))
    entries = zip(*(array.ravel() for array in arrays), strict=True)
    return objects([function(*entry, **power) for entry in entries], arrays[0].shape)


def _finite(field: Field, values: np.ndarray) -> np.ndarray:
    """The same entries, none of which may be infinite."""
    return _apply(field.of, [values]) if is_symbolic(values) else values


def _select(which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    shape = cases[0].shape
    columns = zip(*(case.ravel() for case in cases), strict=True)
    places = np.broadcast_to(which, shape).ravel()
    return objects([column[int(k)] for column, k in zip(columns, places, strict=True)], shape)


def _closed(params: Any) -> Any:
    names = ("jaxpr", "call_jaxpr", "fun_jaxpr")
    inner = next(params[name] for name in names if name in params)
    return inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ())


def _is_key(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
