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


def _keeping_both(x: Array, y: Array) -> tuple[Array, tuple[Array, Array]]:
    return add_forward(x, y)[0], (x, y)


def _to_x_alone(residual: None, dz: Array) -> Cotangents:
    return dz, jnp.zeros_like(dz)


def _to_y_alone(residual: None, dz: Array) -> Cotangents:
    return jnp.zeros_like(dz), dz


def _shared_out(residual: None, dz: Array) -> Cotangents:
    return dz / 2, dz / 2


def _doubled(residual: None, dz: Array) -> Cotangents:
    return 2 * dz, 2 * dz


def _of_a_difference(residual: None, dz: Array) -> Cotangents:
    return dz, -dz


def _of_the_row_before(residual: None, dz: Array) -> Cotangents:
    return dz, jnp.roll(dz, 1, axis=0)


def _of_a_product(branches: tuple[Array, Array], dz: Array) -> Cotangents:
    x, y = branches
    return y * dz, x * dz


def _to_the_larger(branches: tuple[Array, Array], dz: Array) -> Cotangents:
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
        Fault("dz to x alone", _to_x_alone),
        Fault("dz to y alone", _to_y_alone),
        Fault("dz shared out in halves", _shared_out),
        Fault("dz doubled", _doubled),
        Fault("dy of a difference", _of_a_difference),
        Fault("dy of the row before", _of_the_row_before),
        Fault("rule of a product", _of_a_product, _keeping_both),
        Fault("rule of a maximum", _to_the_larger, _keeping_both),
    ),
)
