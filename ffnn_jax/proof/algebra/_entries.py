"""What a primitive does to entries, read off what jax makes of numbers that stand for them.

A primitive that only moves entries is run on their positions. One that sums entries, or products of
two, is run on powers of two: which terms a sum has are then the binary digits of a number. Neither
is written down a second time, and each takes an entry once at most.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ffnn_jax.proof.algebra._field import Field, UndecidedError

_CODED = 50  # bits that a float64 holds


def objects(values: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    """An array of objects, some of which may be sequences."""
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def is_symbolic(value: Any) -> bool:
    """Whether it is an array of elements."""
    return isinstance(value, np.ndarray) and value.dtype == object


def moved(equation: Any, args: Sequence[Any]) -> Any:
    """What a primitive does to the positions of entries, from 1 on, done to the entries."""
    pool, positions = [], []
    for argument in args:
        is_index = not is_symbolic(argument)
        numbers = np.arange(argument.size).reshape(argument.shape) + len(pool) + 1
        positions.append(argument if is_index else numbers)
        pool += [] if is_index else list(argument.ravel())
    outside = {"fill_value": 0} if "fill_value" in equation.params else {}
    with np.errstate(invalid="ignore"):  # jax casts a fill value of NaN
        found = equation.primitive.bind(*positions, **equation.params | outside)
    many = equation.primitive.multiple_results
    taken = [_taken(pool, np.asarray(places)) for places in (found if many else [found])]
    return taken if many else taken[0]


def _taken(pool: Sequence[Any], places: np.ndarray) -> np.ndarray:
    if places.size and not 0 < places.min() <= places.max() <= len(pool):
        raise UndecidedError("reading outside an array")
    return objects([pool[place - 1] for place in places.ravel()], places.shape)


def linear(field: Field, equation: Any, args: Sequence[Any]) -> np.ndarray:
    """Sums: which entries go into which is read off powers of two in their places."""
    zeros = [np.zeros(a.shape) if is_symbolic(a) else a for a in args]
    total = np.full(_image(equation, *zeros).shape, field.zero, object)
    for place, values in enumerate(args):
        for chunk, coded in _coded(values) if is_symbolic(values) else ():
            given = [*zeros[:place], coded, *zeros[place + 1 :]]
            _add(total, _image(equation, *given), chunk)
    return total


def bilinear(field: Field, equation: Any, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sums of products: those with each entry on the right by powers of two on the left."""
    zeros = np.zeros(left.shape), np.zeros(right.shape)
    total = np.full(_image(equation, *zeros).shape, field.zero, object)
    for index in np.ndindex(right.shape):
        unit = np.zeros(right.shape)
        unit[index] = 1
        for chunk, coded in _coded(left):
            _add(total, _image(equation, coded, unit), chunk, right[index])
    return total


def scattered_product(
    equation: Any, operand: np.ndarray, indices: Any, updates: np.ndarray
) -> np.ndarray:
    """Entries times the updates that hit them: those are where a 2 among ones turns up."""
    product, ones = operand.copy(), np.ones(operand.shape)
    for place in np.ndindex(updates.shape):
        marked = np.ones(updates.shape)
        marked[place] = 2
        image = equation.primitive.bind(ones, indices, marked, **equation.params)
        for hit in np.flatnonzero(np.asarray(image) == 2):
            product.flat[hit] = product.flat[hit] * updates[place]
    return product


def _image(equation: Any, *args: Any) -> np.ndarray:
    """What the primitive makes of numbers, summed in float64 whatever dtype it would sum in."""
    named = "preferred_element_type" in equation.params
    wide = {"preferred_element_type": np.dtype("float64")} if named else {}
    image = np.asarray(equation.primitive.bind(*args, **equation.params | wide))
    if image.dtype != np.float64:
        raise UndecidedError(f"sums in {image.dtype}")
    return image


def _add(total: np.ndarray, image: np.ndarray, chunk: Sequence[Any], factor: Any = 1) -> None:
    """Adds to each total the entries whose powers of two its number is the sum of."""
    for place, code in enumerate(map(int, image.ravel())):
        for bit, value in enumerate(chunk):
            if code >> bit & 1:
                total.flat[place] = total.flat[place] + factor * value


def _coded(values: np.ndarray) -> Iterator[tuple[list[Any], np.ndarray]]:
    """Some entries at a time, and an array with a power of two in each of their places."""
    for first in range(0, values.size, _CODED):
        chunk = list(values.flat[first : first + _CODED])
        coded = np.zeros(values.shape)
        coded.flat[first : first + _CODED] = 2.0 ** np.arange(len(chunk))
        yield chunk, coded
