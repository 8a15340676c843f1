"""Descriptions as JSON's own types, and back with every key checked."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ffnn_jax.config._augmentations import AUGMENTATIONS, Augmentation
from ffnn_jax.config._described import Described
from ffnn_jax.config._descriptions import Conv, Dense, Layer, LeakyReLU, MaxPool, ReLU, Sigmoid
from ffnn_jax.config._refusal import Refusal, suggestion

_LAYERS = {kind.__name__: kind for kind in (Conv, Dense, LeakyReLU, MaxPool, ReLU, Sigmoid)}


def layers_to_json(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """One object a layer: its type and its fields.

    Raises:
        Refusal: a layer of your own has the name of another, is no dataclass of its own, or has a
            field that JSON cannot say or that is called "type".
    """
    layers = list(layers)
    kinds: dict[str, type] = dict(_LAYERS)
    for layer in layers:
        name = type(layer).__name__
        if kinds.setdefault(name, type(layer)) is not type(layer):
            raise Refusal(f"{layer}: the name {name} is taken by another layer")
        _require_sayable(layer)
    return _to_json(layers)


def layers_from_json(described: Any, own: Iterable[type[Layer]] = ()) -> tuple[Layer, ...]:
    """The layers that ``layers_to_json`` wrote.

    Args:
        described: what it wrote.
        own: the types of layers that are none of this package's.

    Raises:
        Refusal: a type or a key is unknown, one is missing, or a value is refused.
    """
    return _from_json(described, "layer", _LAYERS | {kind.__name__: kind for kind in own})


def augmentations_to_json(augmentations: Iterable[Augmentation]) -> list[dict[str, Any]]:
    """One object an augmentation: its type and its fields."""
    return _to_json(augmentations)


def augmentations_from_json(described: Any) -> tuple[Augmentation, ...]:
    """The augmentations that ``augmentations_to_json`` wrote.

    Raises:
        Refusal: a type or a key is unknown, one is missing, or a value is refused.
    """
    return _from_json(described, "augmentation", AUGMENTATIONS)


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


def _require_sayable(layer: Layer) -> None:
    """Refuses a layer that could not be read back as what it is."""
    fields = {field.name for field in dataclasses.fields(layer)}
    if fields != set(vars(layer)):
        raise Refusal(
            f"{layer}: a layer of your own must be a dataclass, with all it has as fields"
        )
    if "type" in fields:
        raise Refusal(f'{layer}: a field of a layer cannot be called "type"')
    try:
        json.dumps(vars(layer))
    except (TypeError, ValueError):
        raise Refusal(f"{layer}: its fields must be numbers, text or lists of them") from None


def _to_json(descriptions: Iterable[Described]) -> list[dict[str, Any]]:
    return [{"type": type(one).__name__, **vars(one)} for one in descriptions]


def _from_json(described: Any, noun: str, kinds: Mapping[str, Any]) -> tuple[Any, ...]:
    if not isinstance(described, list) or not all(isinstance(one, dict) for one in described):
        raise Refusal(f"{noun}s must be a list of objects, got {described!r}")
    return tuple(_one(dict(fields), noun, kinds) for fields in described)


def _one(fields: dict[str, Any], noun: str, kinds: Mapping[str, Any]) -> Any:
    known = ", ".join(kinds)
    if "type" not in fields:
        raise Refusal(f"{noun}: the key 'type' is missing (known: {known})")
    name = str(fields.pop("type"))
    if name not in kinds:
        near = suggestion(name, kinds)
        raise Refusal(f"unknown {noun} type {name!r} (known: {known}){near}")
    frozen = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
    return made(kinds[name], name, frozen)
