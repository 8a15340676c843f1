"""One-dimensional convolution."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._conv import conv_settings
from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_dz, change_residuals
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import conv1d, conv1d_backward

_GROUPED, _SAME, _STRIDED = range(3)


def reference_conv1d(
    x: Array,
    w: Array,
    b: Array,
    padding: int | str = "SAME",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Equation (line.1), with the entries of every window listed."""
    reach, length = dilation * (w.shape[0] - 1) + 1, x.shape[1]
    total = max((-(-length // stride) - 1) * stride + reach - length, 0)
    before, after = total // 2, total - total // 2
    if padding != "SAME":
        before = after = padding if isinstance(padding, int) else 0
    x = jnp.pad(x, ((0, 0), (before, after), (0, 0)))
    starts = range(0, x.shape[1] - reach + 1, stride)
    windows = x[:, jnp.array([range(start, start + reach, dilation) for start in starts])]
    parts = zip(jnp.split(windows, groups, 3), jnp.split(w, groups, 2), strict=True)
    z = [jnp.einsum("njvc,vck->njk", part, kernel) for part, kernel in parts]
    return jnp.concatenate(z, axis=2) + b.reshape(1, 1, -1)


def _rolled(axis: int) -> Any:
    return lambda array: jnp.roll(array, 1, axis)


def _kernel_flipped(residuals: Any) -> Any:
    x, w = residuals
    return x, jnp.flip(w, 0)


CONV1D = OpSpec(
    op=conv1d,
    reference=reference_conv1d,
    arguments=("NxLxC", "KLxBxK", "K"),
    cases=(
        Case(
            sizes=({"N": 5, "L": 7, "C": 6, "B": 3, "KL": 2, "K": 4},),
            static=conv_settings("VALID", groups=2),
        ),
        Case(
            sizes=({"N": 1, "L": 5, "C": 3, "B": 3, "KL": 4, "K": 2},), static=conv_settings("SAME")
        ),
        Case(
            sizes=({"N": 3, "L": 9, "C": 2, "B": 2, "KL": 4, "K": 5},),
            static=conv_settings(1, 3, 2),
        ),
    ),
    batch="N",
    linear=(0, 1, 2),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("kernel not flipped in dx", change_residuals(conv1d_backward, _kernel_flipped)),
        Fault(
            "dw flipped",
            change_cotangent(conv1d_backward, 1, lambda dw: jnp.flip(dw, 0)),
            case=_SAME,
        ),
        Fault("dx shifted by one entry", change_cotangent(conv1d_backward, 0, _rolled(1))),
        Fault("dw of the next entry", change_cotangent(conv1d_backward, 1, _rolled(0))),
        Fault("dz of the next position", change_dz(conv1d_backward, _rolled(1)), case=_STRIDED),
        Fault("dz of the next group", change_dz(conv1d_backward, _rolled(2)), case=_GROUPED),
        Fault("db of the next channel", change_cotangent(conv1d_backward, 2, _rolled(0))),
        Fault("db halved", change_cotangent(conv1d_backward, 2, lambda db: db / 2), case=_SAME),
    ),
)
