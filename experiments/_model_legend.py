"""A model of the report in words: its layers, and how its training differs from model 0's."""

from ffnn_jax.config import Settings, preset
from ffnn_jax.nn import Conv, Dense, Layer, MaxPool

_COMPARED = {
    "learning_rate": "learning rate {}",
    "steps": "{:,} steps",
    "batch_size": "batches of {}",
}


def legend(settings: Settings) -> str:
    """The layers in the order in which the data flows, and what sets a CIFAR-10 model apart."""
    layers = ", ".join(map(_name, settings.layers))
    start = preset("cifar10-0")
    if settings.dataset != start.dataset:
        return layers
    words = [
        text.format(getattr(settings, name))
        for name, text in _COMPARED.items()
        if getattr(settings, name) != getattr(start, name)
    ]
    return "; ".join([layers, *words])


def _name(layer: Layer) -> str:
    if isinstance(layer, Dense):
        return f"dense {layer.units}"
    return {Conv: "conv", MaxPool: "pool"}.get(type(layer), layer.title)
