"""Group and instance normalisation: equations (group.1)-(group.10).

An image x has P pixels of C channels: all axes between the first and the last index pixels. The
channels are cut into G groups of K = C / G neighbours: channel c is the k-th of group g, c = g K +
k. In each image the M = P K entries of a group share a mean and a variance; every channel has its
own learned scale and shift. Images and groups do not interact, so n and g are omitted where there
is no sum over them.

    mean     = 1/M sum_pk x_pk                                                  (group.1)
    variance = 1/M sum_pk (x_pk - mean)^2                                       (group.2)
    rstd     = 1 / sqrt(variance + eps)                                         (group.3)
    x^_pk    = (x_pk - mean) rstd                                               (group.4)
    z_pk     = scale_k x^_pk + shift_k                                          (group.5)

All images and pixels share the parameters of a channel:

    dshift_k = sum_np dz_npk                                                    (group.6)
    dscale_k = sum_np dz_npk x^_npk                                             (group.7)

From here the derivation is that of layer normalisation, (layer.8)-(layer.10), with the M entries of
a group in place of the C entries of a row. Scale varies within the group, so it stays inside the
sums:

    dx^_pk = scale_k dz_pk                                                      (group.8)
    dx_pk  = rstd (dx^_pk - 1/M sum_qj dx^_qj - x^_pk 1/M sum_qj dx^_qj x^_qj)  (group.9)

Instance normalisation is the case G = C: each channel of an image is normalised by itself. Then K
is 1, scale can be taken out of the sums, and (group.9) becomes (norm.15) for one image:

    dx_p = scale rstd (dz_p - 1/P sum_q dz_q - x^_p 1/P sum_q dz_q x^_q)        (group.10)

With G = 1 all entries of an image share their statistics, as in layer normalisation over (H, W, C),
but with a scale for each channel; with a single pixel, too, this is layer normalisation.

Conventions: neighbouring channels form a group, as in PyTorch and Flax. The variance is the biased
one, over M, in two passes and in at least float32; eps is inside the root. Its default is PyTorch's
1e-5; Flax's is 1e-6. A constant group has variance 0: its z is shift, and (group.9) holds with
x^ = 0. A group of one entry is constant, and its dx is 0: so is every channel in instance
normalisation of (N, C), which has no pixels to normalise over.

The residuals are x, a mean and rstd for each group of each image, and scale: x^ is cheaper to
recompute than to store.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ffnn_jax.layers._arguments import custom_vjp_with_static, is_integer, require, upcast
from ffnn_jax.layers._rows import require_channels, require_eps

__all__ = [
    "group_norm",
    "group_norm_backward",
    "group_norm_forward",
    "instance_norm",
    "instance_norm_backward",
    "instance_norm_forward",
]

Images = Float[Array, "N ... C"]
Channels = Float[Array, " C"]


class GroupNormResiduals(NamedTuple):
    """Residuals of the backward pass; only x itself has x's size."""

    x: Images
    mean: Float[Array, "N G"]
    rstd: Float[Array, "N G"]
    scale: Channels


def group_norm_forward(
    x: Images, scale: Channels, shift: Channels, groups: int = 32, eps: float = 1e-5
) -> tuple[Images, GroupNormResiduals]:
    """Returns z and the residuals."""
    _require_arguments("group_norm", x, scale, shift, eps)
    valid = is_integer(groups, 1) and x.shape[-1] % int(groups) == 0
    divides = f"an integer that divides the {x.shape[-1]} channels of x"
    require(valid, "group_norm", "groups", divides, repr(groups))
    return _normalise(x, scale, shift, int(groups), eps)


@custom_vjp_with_static(3, 4)
def group_norm(
    x: Images, scale: Channels, shift: Channels, groups: int = 32, eps: float = 1e-5
) -> Images:
    """Normalises each group of channels of each image: z = scale (x - mean) rstd + shift.

    Args:
        x: images of C channels, with at least one pixel: (N, ..., C).
        scale: scale of each channel, in x's dtype, or float32 if x is narrower.
        shift: shift of each channel, in the scale's dtype.
        groups: number of groups, which divides C; a group is C / groups neighbouring channels.
        eps: number added to the variance, above 0.

    Returns:
        z, equation (group.5), in x's shape and dtype. An image of z depends on its own x alone.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, groups does not divide
            C, or eps is out of range.
    """
    return group_norm_forward(x, scale, shift, groups, eps)[0]


def group_norm_backward(
    groups: int, eps: float, residuals: GroupNormResiduals, dz: Images
) -> tuple[Images, Channels, Channels]:
    """Returns (dx, dscale, dshift), equations (group.9), (group.7) and (group.6)."""
    x, mean, rstd, scale = residuals
    shape, dz_groups = _shape(x, int(groups)), _grouped(dz, int(groups))
    axes = _axes(x, int(groups))
    rstd_wide = jnp.expand_dims(rstd, axes)
    x_hat = _centred(x, mean) * rstd_wide  # (group.4)
    dshift = jnp.sum(dz_groups, axis=(0, 1))  # (group.6)
    dscale = jnp.sum(dz_groups * x_hat, axis=(0, 1))  # (group.7)
    dx_hat = scale.astype(x_hat.dtype).reshape(1, 1, *shape[2:]) * dz_groups  # (group.8)
    mean_part = jnp.mean(dx_hat, axes, keepdims=True)
    variance_part = x_hat * jnp.mean(dx_hat * x_hat, axes, keepdims=True)
    dx = rstd_wide * (dx_hat - mean_part - variance_part)  # (group.9)
    dscale, dshift = (d.reshape(scale.shape).astype(scale.dtype) for d in (dscale, dshift))
    return dx.reshape(x.shape).astype(x.dtype), dscale, dshift


group_norm.defvjp(group_norm_forward, group_norm_backward)


def instance_norm_forward(
    x: Images, scale: Channels, shift: Channels, eps: float = 1e-5
) -> tuple[Images, GroupNormResiduals]:
    """Returns z and the residuals."""
    _require_arguments("instance_norm", x, scale, shift, eps)
    return _normalise(x, scale, shift, x.shape[-1], eps)


@custom_vjp_with_static(3)
def instance_norm(x: Images, scale: Channels, shift: Channels, eps: float = 1e-5) -> Images:
    """Normalises each channel of each image over its pixels: z = scale (x - mean) rstd + shift.

    Args:
        x: images of C channels, with at least one pixel: (N, ..., C).
        scale: scale of each channel, in x's dtype, or float32 if x is narrower.
        shift: shift of each channel, in the scale's dtype.
        eps: number added to the variance, above 0.

    Returns:
        z, equation (group.5) with C groups, in x's shape and dtype.

    Raises:
        ValueError: shapes or dtypes do not match, x is not floating-point, or eps is out of range.
    """
    return instance_norm_forward(x, scale, shift, eps)[0]


def instance_norm_backward(
    eps: float, residuals: GroupNormResiduals, dz: Images
) -> tuple[Images, Channels, Channels]:
    """Returns (dx, dscale, dshift), equations (group.10), (group.7) and (group.6)."""
    return group_norm_backward(residuals.x.shape[-1], eps, residuals, dz)


def _normalise(
    x: Array, scale: Array, shift: Array, groups: int, eps: float
) -> tuple[Array, GroupNormResiduals]:
    """The forward pass of both operations."""
    per_channel = (1, 1, *_shape(x, groups)[2:])
    axes = _axes(x, groups)
    mean = jnp.mean(_grouped(x, groups), axes)  # (group.1)
    variance = jnp.mean(_centred(x, mean) ** 2, axes)  # (group.2)
    rstd = 1 / jnp.sqrt(variance + float(eps))  # (group.3)
    x_hat = _centred(x, mean) * jnp.expand_dims(rstd, axes)  # (group.4)
    wide_scale, wide_shift = (upcast(each).reshape(per_channel) for each in (scale, shift))
    z = wide_scale * x_hat + wide_shift  # (group.5)
    return z.reshape(x.shape).astype(x.dtype), GroupNormResiduals(x, mean, rstd, scale)


def _shape(x: Array, groups: int) -> tuple[int, int, int, int]:
    """(N, P, G, K); for groups of one channel (N, P, 1, G), whose last axis vectors run along."""
    size = x.shape[-1] // groups
    third, last = (groups, size) if size > 1 else (1, groups)
    return x.shape[0], math.prod(x.shape[1:-1]), third, last


def _axes(x: Array, groups: int) -> tuple[int, int]:
    """The axes of ``_shape`` that index the entries of a group."""
    return (1, 3) if x.shape[-1] > groups else (1, 2)


def _grouped(x: Array, groups: int) -> Array:
    """Reshapes images to ``_shape``, in the accumulation dtype."""
    return upcast(x).reshape(_shape(x, groups))


def _centred(x: Array, mean: Array) -> Array:
    """The grouped images minus the means (N, G) of their groups."""
    groups = mean.shape[1]
    return _grouped(x, groups) - jnp.expand_dims(mean, _axes(x, groups))


def _require_arguments(function: str, x: Array, scale: Array, shift: Array, eps: float) -> None:
    require_channels(function, x, 2, scale=scale, shift=shift)
    require(math.prod(x.shape[1:]) > 0, function, "x", "of images with at least one entry", x.shape)
    require_eps(function, x, eps)


instance_norm.defvjp(instance_norm_forward, instance_norm_backward)
