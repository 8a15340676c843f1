"""Padding of images."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_dz
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import pad, pad_backward, pad_forward

Sides = tuple[tuple[int, int], tuple[int, int]]
_FOUR_WIDTHS = ((1, 2), (0, 3))


def reference_pad(x: Array, width: Any, value: float = 0.0) -> Array:
    """Writes x into images that are full of the value."""
    (top, bottom), (left, right) = ((width,) * 2,) * 2 if isinstance(width, int) else width
    n, height, across, c = x.shape
    whole = jnp.full((n, top + height + bottom, left + across + right, c), value, x.dtype)
    return whole.at[:, top : top + height, left : left + across].set(x)


def _cropped(sides: Callable[[int, int, int, int], Sides]) -> Callable[..., Any]:
    """The backward with other widths."""

    def wrong(width: Sides, value: float, residual: None, dz: Array) -> Any:
        (top, bottom), (left, right) = width
        return pad_backward(sides(top, bottom, left, right), value, residual, dz)

    return wrong


def _border_added_to_the_edge(width: Sides, value: float, residual: None, dz: Array) -> Any:
    """The gradient of padding that repeats the edge."""
    (dx,) = pad_backward(width, value, residual, dz)
    (top, _), (left, right) = width
    columns = slice(left, dz.shape[2] - right)
    return (dx.at[:, 0].add(dz[:, :top, columns].sum(1)),)


def _value_in_the_backward(width: Sides, value: float, residual: None, dz: Array) -> Any:
    (dx,) = pad_backward(width, value, residual, dz)
    return (dx + jnp.asarray(value, dx.dtype),)


def _wrapped(width: Sides, value: float, residual: None, dz: Array) -> Any:
    """The gradient of padding by wrapping around."""
    (dx,), ((top, _), (left, _)) = pad_backward(width, value, residual, dz), width
    return (dx.at[:, -top:].add(dz[:, :top, left : left + dx.shape[2]]),)


def _zeros(x: Array, width: Sides, value: float) -> tuple[Array, None]:
    return pad_forward(x, width, 0.0)


def _rows_and_columns_swapped(x: Array, width: Sides, value: float) -> tuple[Array, None]:
    return pad_forward(x, width[::-1], value)


_FAULTS = {
    "dz cropped at the other end": _cropped(lambda t, b, left, right: ((b, t), (right, left))),
    "top and bottom swapped": _cropped(lambda t, b, left, right: ((b, t), (left, right))),
    "left and right swapped": _cropped(lambda t, b, left, right: ((t, b), (right, left))),
    "border added to the edge": _border_added_to_the_edge,
    "border wrapped around": _wrapped,
    "value added to dx": _value_in_the_backward,
    "dx shifted by one pixel": change_cotangent(pad_backward, 0, lambda d: jnp.roll(d, 1, axis=2)),
    "dz flipped": change_dz(pad_backward, lambda dz: dz[:, :, ::-1]),
}

PAD = OpSpec(
    op=pad,
    reference=reference_pad,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=({"N": 3, "H": 4, "W": 5, "C": 2}, {"N": 1, "H": 1, "W": 2, "C": 3}),
            static={"width": _FOUR_WIDTHS, "value": 2.0},
        ),
        Case(sizes=({"N": 2, "H": 3, "W": 1, "C": 4},), static={"width": 2, "value": 0.0}),
        Case(sizes=({"N": 2, "H": 3, "W": 4, "C": 1},), static={"width": 0, "value": 1.0}),
    ),
    batch="N",
    linear=(0,),
    exact=True,
    empty_batch=True,
    faults=(
        *(Fault(name, wrong) for name, wrong in _FAULTS.items()),
        Fault("zeros instead of the value", forward=_zeros),
        Fault("widths of rows and columns swapped", forward=_rows_and_columns_swapped),
    ),
)
