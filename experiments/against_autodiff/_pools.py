"""The poolings, beside ``lax.reduce_window`` and what needs no windows."""

import math

import jax.numpy as jnp
from jax import Array, lax

from experiments.against_autodiff._row import Form, Row, functional
from ffnn_jax import layers


def _windows_maximum(window: int, stride: int) -> Form:
    size, step = (1, window, window, 1), (1, stride, stride, 1)
    return lambda x: lax.reduce_window(x, -jnp.inf, lax.max, size, step, "VALID")


def _windows_mean(window: int, stride: int) -> Form:
    size, step = (1, window, window, 1), (1, stride, stride, 1)
    return lambda x: lax.reduce_window(x, 0.0, lax.add, size, step, "VALID") / window**2


def _split(x: Array) -> Array:
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels)


def _split_maximum(x: Array) -> Array:
    return _split(x).max((2, 4))


def _split_mean(x: Array) -> Array:
    return _split(x).mean((2, 4))


def _bins(size: int, bins: int) -> list[tuple[int, int]]:
    return [(i * size // bins, math.ceil((i + 1) * size / bins)) for i in range(bins)]


def _means_of_slices(x: Array, bins: int = 7) -> Array:
    rows = [x[:, low:high].mean(1) for low, high in _bins(x.shape[1], bins)]
    columns = [jnp.stack(rows, 1)[:, :, low:high].mean(2) for low, high in _bins(x.shape[2], bins)]
    return jnp.stack(columns, 2)


def _matrix_products(x: Array, bins: int = 7) -> Array:
    def weights(size: int) -> Array:
        at = jnp.arange(size)
        inside = [(at >= low) & (at < high) for low, high in _bins(size, bins)]
        shares = [mask / mask.sum() for mask in inside]
        return jnp.stack(shares).astype(x.dtype)

    return jnp.einsum("ih,jw,nhwc->nijc", weights(x.shape[1]), weights(x.shape[2]), x)


def _pool(batch: int, size: int, window: int, stride: int, name: str) -> Row:
    maximum = name == "max_pool"
    form = (_windows_maximum if maximum else _windows_mean)(window, stride)
    forms: dict[str, Form] = {"lax.reduce_window": form}
    if window == stride == 2:
        name_of_split = "reshape and jnp.max" if maximum else "reshape and jnp.mean"
        forms[name_of_split] = _split_maximum if maximum else _split_mean
    detail = f"{window} × {window}, stride {stride}"
    other = functional(f"{name}2d", kernel_size=window, stride=stride)
    operation = layers.max_pool if maximum else layers.avg_pool
    return Row(operation, (f"Nx{size}x{size}x64",), forms, other, batch, (window, stride), detail)


POOLS = (
    _pool(64, 31, 3, 2, "max_pool"),
    _pool(64, 32, 2, 2, "max_pool"),
    _pool(64, 31, 3, 2, "avg_pool"),
    _pool(64, 32, 2, 2, "avg_pool"),
    Row(
        layers.global_avg_pool, ("Nx32x32x64",), {"jnp.mean": lambda x: x.mean((1, 2))},
        lambda torch, x: x.mean((2, 3)), 64,
    ),
    Row(
        layers.adaptive_avg_pool, ("Nx31x31x64",),
        {"means of slices": _means_of_slices, "matrix products": _matrix_products},
        functional("adaptive_avg_pool2d", output_size=7), 64, (7,), "to 7 × 7",
    ),
)  # fmt: skip
