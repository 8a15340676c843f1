"""Operations that move, repeat, mask or scale entries."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from experiments.against_autodiff._row import Form, Row, functional
from ffnn_jax import layers

_RATE = 0.5


def _resize(method: str) -> Form:
    def form(x: Array) -> Array:
        n, height, width, channels = x.shape
        return jax.image.resize(x, (n, 2 * height, 2 * width, channels), method)

    return form


def _repeat(x: Array) -> Array:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def _broadcast(x: Array) -> Array:
    n, height, width, channels = x.shape
    repeated = jnp.broadcast_to(x[:, :, None, :, None], (n, height, 2, width, 2, channels))
    return repeated.reshape(n, 2 * height, 2 * width, channels)


def _pad(x: Array) -> Array:
    return jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))


def _where(x: Array, mask: Array) -> Array:
    return jnp.where(mask, x / (1 - _RATE), 0)


def _torch_where(torch: Any, x: Any, mask: Any) -> Any:
    return torch.where(mask, x / (1 - _RATE), 0)


def _upsample2d(method: str, forms: dict[str, Form]) -> Row:
    torch = functional("interpolate", scale_factor=2, mode=method)
    return Row(layers.upsample2d, ("Nx16x16x64",), forms, torch, 64, (2, method), f"2 ×, {method}")


IMAGES = (
    _upsample2d(
        "nearest",
        {"jax.image.resize": _resize("nearest"), "jnp.repeat": _repeat, "broadcast": _broadcast},
    ),
    _upsample2d("bilinear", {"jax.image.resize": _resize("bilinear")}),
    Row(
        layers.pad, ("Nx16x16x64",), {"jnp.pad": _pad}, functional("pad", pad=(2, 2, 2, 2)), 128,
        (2,), "2 on each side",
    ),
    Row(
        layers.scale, ("Nx16x16x64", "64"), {"a product": lambda x, factor: x * factor},
        lambda torch, x, factor: x * factor[:, None, None], 128,
    ),
    Row(
        layers.dropout, ("Nx16x16x64", "Nx16x16x64:bool"), {"jnp.where": _where}, _torch_where,
        128, (_RATE,), "mask given",
    ),
    Row(
        layers.add, ("Nx16x16x64", "Nx16x16x64"), {"a sum": lambda x, y: x + y},
        lambda torch, x, y: x + y, 128,
    ),
)  # fmt: skip
