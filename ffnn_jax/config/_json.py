"""Descriptions as JSON's own types, and back with every key checked."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from ffnn_jax.config._descriptions import Conv, Dense, Layer, MaxPool, ReLU
from ffnn_jax.config._refusal import Refusal, suggestion

_LAYER_TYPES = {kind.__name__: kind for kind in (Conv, Dense, MaxPool, ReLU)}


def layers_to_json(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """One object a layer: its type and its fields."""
    return [{"type": type(layer).__name__, **vars(layer)} for layer in layers]


def layers_from_json(described: Iterable[dict[str, Any]]) -> tuple[Layer, ...]:
    """The layers that ``layers_to_json`` wrote.

    Raises:
        Refusal: a type or a key is unknown, one is missing, or a value is refused.
    """
    return tuple(_layer(dict(fields)) for fields in described)


def made(kind: Any, name: str, fields: dict[str, Any]) -> Any:
    """A dataclass from its fields.

    Raises:
        Refusal: a key is unknown or missing, or a value is refused.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    for key in fields:
        if key not in known:
            raise Refusal(f"{name}: unknown key {key!r}{suggestion(key, known)}")
    try:
        return kind(**fields)
    except TypeError as error:
        raise Refusal(f"{name}: {error}") from None


def _layer(fields: dict[str, Any]) -> Layer:
    name = str(fields.pop("type", None))
    if name not in _LAYER_TYPES:
        near = suggestion(name, _LAYER_TYPES)
        raise Refusal(f"unknown layer type {name!r} (known: {', '.join(_LAYER_TYPES)}){near}")
    return made(_LAYER_TYPES[name], name, fields)
