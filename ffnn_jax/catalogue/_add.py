"""Addition of two branches."""

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._op_spec import ELEMENTWISE, Case, OpSpec
from ffnn_jax.layers import add, add_forward

Cotangents = tuple[Array, Array]


def reference_add(x: Array, y: Array) -> Array:
    """Equation (add.1), as a sum over a stack of branches."""
    return jnp.stack((x, y)).sum(axis=0)


def _save_both(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
    return add_forward(x, y)[0], (x, y)


def _to_x_only(residual: None, dz: Array) -> Cotangents:
    return dz, jnp.zeros_like(dz)


def _to_y_only(residual: None, dz: Array) -> Cotangents:
    return jnp.zeros_like(dz), dz


def _halved(residual: None, dz: Array) -> Cotangents:
    return dz / 2, dz / 2


def _doubled(residual: None, dz: Array) -> Cotangents:
    return 2 * dz, 2 * dz


def _of_subtraction(residual: None, dz: Array) -> Cotangents:
    return dz, -dz


def _previous_row(residual: None, dz: Array) -> Cotangents:
    return dz, jnp.roll(dz, 1, axis=0)


def _of_multiplication(branches: tuple[Array, Array], dz: Array) -> Cotangents:
    x, y = branches
    return y * dz, x * dz


def _of_maximum(branches: tuple[Array, Array], dz: Array) -> Cotangents:
    x, y = branches
    return jnp.where(x >= y, dz, 0), jnp.where(x >= y, 0, dz)


ADD = OpSpec(
    op=add,
    reference=reference_add,
    arguments=("NxD", "NxD"),
    cases=(Case(sizes=ELEMENTWISE),),
    batch="N",
    linear=(0, 1),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("dz passed to x only", _to_x_only),
        Fault("dz passed to y only", _to_y_only),
        Fault("dz split in half", _halved),
        Fault("dz doubled", _doubled),
        Fault("gradient of subtraction", _of_subtraction),
        Fault("dy from the previous row", _previous_row),
        Fault("gradient of multiplication", _of_multiplication, _save_both),
        Fault("gradient of maximum", _of_maximum, _save_both),
    ),
)
