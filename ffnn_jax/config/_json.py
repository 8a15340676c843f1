"""Converts layers and augmentations to JSON types, and back with every key checked."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ffnn_jax._base_config import from_fields
from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.config._augmentations import AUGMENTATIONS, Augmentation
from ffnn_jax.config._own_layers import OWN
from ffnn_jax.nn import LAYERS, Layer
from ffnn_jax.nn._chain import are_layers, with_nested

Kinds = Mapping[str, type]
_OWN_LAYERS = " (your own by --layers-from MODULE, in Python by layers=[MyLayer])"


def layers_to_json(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """One object per layer: its type and its fields; nested layers likewise.

    Raises:
        UserError: a custom layer has the name of another, is not itself a dataclass, or has a
            field that JSON cannot represent or that is called "type".
    """
    layers, kinds = list(layers), dict(LAYERS)
    for layer in with_nested(layers):
        name = type(layer).__name__
        if kinds.setdefault(name, type(layer)) is not type(layer):
            raise UserError(f"{layer}: the name {name} is taken by another layer")
        fields = {field.name for field in dataclasses.fields(layer)}
        if fields != set(vars(layer)):
            allowed = "a dataclass, with all it has as fields"
            raise UserError(f"{layer}: a layer of your own must be {allowed}")
        if "type" in fields:
            raise UserError(f'{layer}: a field of a layer cannot be called "type"')
        try:
            json.dumps({name: v for name, v in vars(layer).items() if not are_layers(v)})
            hash(layer)
        except (TypeError, ValueError):
            allowed = "numbers, text, or tuples of them or of layers"
            raise UserError(f"{layer}: its fields must be {allowed}") from None
    return _to_json(layers)


def layers_from_json(config: Any, own: Iterable[type[Layer]] = ()) -> tuple[Layer, ...]:
    """The layers that ``layers_to_json`` wrote; custom ones are ``own``, or of ``use_layers``.

    Raises:
        UserError: a type or a key is unknown, one is missing, or a value is rejected.
    """
    return _from_json(config, "layer", LAYERS | OWN | {kind.__name__: kind for kind in own})


def augmentations_to_json(augmentations: Iterable[Augmentation]) -> list[dict[str, Any]]:
    """One object per augmentation: its type and its fields."""
    return _to_json(augmentations)


def augmentations_from_json(
    config: Any, own: Iterable[type[Augmentation]] = ()
) -> tuple[Augmentation, ...]:
    """The augmentations that ``augmentations_to_json`` wrote, as ``layers_from_json``."""
    kinds = AUGMENTATIONS | {kind.__name__: kind for kind in own}
    return _from_json(config, "augmentation", kinds)


def _to_json(config: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {"type": type(item).__name__, **{name: _to_value(v) for name, v in vars(item).items()}}
        for item in config
    ]


def _from_json(config: Any, noun: str, kinds: Kinds) -> tuple[Any, ...]:
    """The configurations that ``_to_json`` wrote; an error calls one of them ``noun``."""
    if not isinstance(config, list) or not all(isinstance(item, dict) for item in config):
        raise UserError(f"{noun}s must be a list of objects, got {config!r}")
    return tuple(_from_object(dict(fields), noun, kinds) for fields in config)


def _to_value(value: Any) -> Any:
    """A field's value in JSON's own types, so that it compares equal to one read from a file."""
    if are_layers(value):
        return _to_json(value)
    return [_to_value(item) for item in value] if isinstance(value, tuple) else value


def _from_object(fields: dict[str, Any], noun: str, kinds: Kinds) -> Any:
    known = ", ".join(kinds)
    if "type" not in fields:
        raise UserError(f"{noun}: the key 'type' is missing (known: {known})")
    name = str(fields.pop("type"))
    if name not in kinds:
        hint = _OWN_LAYERS if noun == "layer" else f" (known: {known})"
        raise UserError(f"unknown {noun} type {name!r}{hint}{suggestion(name, kinds)}")
    values = {key: _from_value(value, noun, kinds) for key, value in fields.items()}
    return from_fields(kinds[name], name, values)


def _from_value(value: Any, noun: str, kinds: Kinds) -> Any:
    """A field's value: lists become tuples, and lists of objects become configurations."""
    if not isinstance(value, list):
        return value
    if value and all(isinstance(item, dict) and "type" in item for item in value):
        return _from_json(value, noun, kinds)
    return tuple(_from_value(item, noun, kinds) for item in value)
