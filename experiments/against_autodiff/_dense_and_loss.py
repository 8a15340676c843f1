"""Dense layers, softmax and its loss, beside ``jax.nn`` and optax."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from experiments.against_autodiff._row import Form, Row, functional
from ffnn_jax import layers

_SMOOTHING, _CLASSES = 0.1, 1000


def _affine(x: Array, w: Array, b: Array) -> Array:
    return x @ w + b


def _torch_linear(torch: Any, x: Any, w: Any, b: Any) -> Any:
    return torch.nn.functional.linear(x, w.T, b)


def _optax_classes(x: Array, labels: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(x, labels).mean()


def _log_softmax_classes(x: Array, labels: Array) -> Array:
    log_z = jax.nn.log_softmax(x)
    return -jnp.take_along_axis(log_z, labels[:, None], axis=1).mean()


def _optax_smoothed(x: Array, labels: Array) -> Array:
    y = optax.smooth_labels(jax.nn.one_hot(labels, x.shape[1], dtype=x.dtype), _SMOOTHING)
    return optax.softmax_cross_entropy(x, y).mean()


def _log_softmax_smoothed(x: Array, labels: Array) -> Array:
    log_z = jax.nn.log_softmax(x)
    own = jnp.take_along_axis(log_z, labels[:, None], axis=1)[:, 0]
    return -((1 - _SMOOTHING) * own + _SMOOTHING * log_z.mean(1)).mean()


def _optax_distributions(x: Array, y: Array) -> Array:
    return optax.softmax_cross_entropy(x, y).mean()


def _log_softmax_distributions(x: Array, y: Array) -> Array:
    return -(y * jax.nn.log_softmax(x)).sum(1).mean()


def _torch_loss(**settings: float) -> Form:
    def form(torch: Any, x: Any, labels: Any) -> Any:
        labels = labels if labels.is_floating_point() else labels.long()
        return torch.nn.functional.cross_entropy(x, labels, **settings)

    return form


def _loss(detail: str, labels: str, forms: dict[str, Form], *static: float) -> Row:
    torch = _torch_loss(**({"label_smoothing": static[0]} if static else {}))
    arguments = f"Nx{_CLASSES}", labels
    return Row(layers.softmax_cross_entropy, arguments, forms, torch, 2048, static, detail)


DENSE_AND_LOSS = (
    Row(layers.dense, ("Nx512", "512x512", "512"), {"x @ w + b": _affine}, _torch_linear, 1024),
    Row(layers.dense_column, ("2048", "2048x1024", "1024"), {"x @ w + b": _affine}, _torch_linear),
    Row(
        layers.softmax, ("Nx1000",), {"jax.nn.softmax": jax.nn.softmax},
        functional("softmax", dim=1), 2048,
    ),
    Row(
        layers.log_softmax, ("Nx1000",), {"jax.nn.log_softmax": jax.nn.log_softmax},
        functional("log_softmax", dim=1), 2048,
    ),
    _loss(
        "classes", f"N:int<{_CLASSES}",
        {"optax": _optax_classes, "jax.nn.log_softmax": _log_softmax_classes},
    ),
    _loss(
        "smoothed", f"N:int<{_CLASSES}",
        {"optax": _optax_smoothed, "jax.nn.log_softmax": _log_softmax_smoothed}, _SMOOTHING,
    ),
    _loss(
        "distributions", f"Nx{_CLASSES}:simplex",
        {"optax": _optax_distributions, "jax.nn.log_softmax": _log_softmax_distributions},
    ),
)  # fmt: skip
