"""Multiplication by a learned factor."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import scale, scale_backward, scale_forward

Cotangents = tuple[Array, Array]
_SHARED = 1


def reference_scale(x: Array, factor: Array) -> Array:
    """Equation (scale.1), as a product with a diagonal matrix."""
    channels = x.shape[-1]
    diagonal = jnp.eye(channels, dtype=x.dtype) * jnp.broadcast_to(factor, (1, channels))
    return jnp.einsum("...c,cd->...d", x, diagonal)


def _with_dfactor(change: Callable[[Array, Array, Array], Array]) -> Callable[..., Any]:
    """The backward with dfactor computed from x, the factor and dz."""

    def wrong(residuals: Any, dz: Array) -> Cotangents:
        dx, dfactor = scale_backward(residuals, dz)
        x, factor = residuals
        return dx, change(x, factor, dz).astype(dfactor.dtype)

    return wrong


def _with_dx(change: Callable[[Array, Array, Array], Array]) -> Callable[..., Any]:
    """The backward with dx computed from x, the factor in x's shape, and dz."""

    def wrong(residuals: Any, dz: Array) -> Cotangents:
        x, factor = residuals
        spread = jnp.broadcast_to(factor.astype(x.dtype).reshape(1, 1, -1), x.shape)
        return change(x, spread, dz), scale_backward(residuals, dz)[1]

    return wrong


def _save_z(x: Array, factor: Array) -> tuple[Array, Any]:
    z, _ = scale_forward(x, factor)
    return z, (z, factor)


SCALE = OpSpec(
    op=scale,
    reference=reference_scale,
    arguments=("NxTxC", "C"),
    cases=(
        Case(
            sizes=({"N": 3, "T": 2, "C": 4}, {"N": 1, "T": 5, "C": 1}, {"N": 800, "T": 5, "C": 40})
        ),
        Case(
            sizes=({"N": 2, "T": 3, "C": 4}, {"N": 1000, "T": 1, "C": 2}), arguments=("NxTxC", "")
        ),
    ),
    batch="N",
    linear=(0, 1),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("factor left out of dx", _with_dx(lambda x, factor, dz: dz)),
        Fault("dx divided by the factor", _with_dx(lambda x, factor, dz: dz / factor)),
        Fault("x and dz swapped in (scale.2)", _with_dx(lambda x, factor, dz: x * factor)),
        Fault("x left out of dfactor", _with_dfactor(lambda x, _, dz: dz.sum((0, 1)))),
        Fault("dfactor of the first row only", _with_dfactor(lambda x, _, dz: (dz * x)[0].sum(0))),
        Fault("factor left in dfactor", _with_dfactor(lambda x, f, dz: (dz * x).sum((0, 1)) * f)),
        Fault(
            "sum over the channels for every one",
            _with_dfactor(lambda x, f, dz: jnp.broadcast_to((dz * x).sum(), f.shape)),
        ),
        Fault("z saved instead of x", forward=_save_z),
        Fault("dfactor set to zero", change_cotangent(scale_backward, 1, jnp.zeros_like)),
        Fault(
            "dfactor summed in half precision",
            _with_dfactor(lambda x, _, dz: sum_in_own_dtype((dz * x).reshape(-1, x.shape[-1]))),
            many=True,
        ),
        Fault(
            "a shared dfactor of one channel",
            _with_dfactor(lambda x, _, dz: (dz * x)[..., 0].sum()),
            case=_SHARED,
        ),
        Fault(
            "a shared dfactor averaged over the channels",
            _with_dfactor(lambda x, _, dz: (dz * x).mean(2).sum()),
            case=_SHARED,
        ),
    ),
)
