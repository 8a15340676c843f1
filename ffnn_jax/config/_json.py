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


def layers_from_json(described: Any) -> tuple[Layer, ...]:
    """The layers that ``layers_to_json`` wrote.

    Raises:
        Refusal: a type or a key is unknown, one is missing, or a value is refused.
    """
    if not isinstance(described, list) or not all(isinstance(layer, dict) for layer in described):
        raise Refusal(f"layers must be a list of objects, got {described!r}")
    return tuple(_layer(dict(fields)) for fields in described)


def made(kind: Any, name: str, fields: dict[str, Any]) -> Any:
    """A dataclass from its fields.

    Raises:
        Refusal: a key is unknown or missing, or a value is refused.
    """
    described = dataclasses.fields(kind)
    known = [field.name for field in described]
    for field in described:
        if field.default is dataclasses.MISSING and field.name not in fields:
            raise Refusal(f"{name}: the key {field.name!r} is missing")
    for key in fields:
        if key not in known:
            raise Refusal(f"{name}: unknown key {key!r}{suggestion(key, known)}")
    return kind(**fields)


def _layer(fields: dict[str, Any]) -> Layer:
    known = ", ".join(_LAYER_TYPES)
    if "type" not in fields:
        raise Refusal(f"a layer needs a type (known: {known})")
    name = str(fields.pop("type"))
    if name not in _LAYER_TYPES:
        near = suggestion(name, _LAYER_TYPES)
        raise Refusal(f"unknown layer type {name!r} (known: {known}){near}")
    return made(_LAYER_TYPES[name], name, fields)
