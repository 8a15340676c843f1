"""Layers as text, as in "conv 32 5, batchnorm, relu, maxpool 2, dense 10".

A layer is the name of its class in small letters, or MODULE:CLASS for one of the user's own, and
its arguments, in order or as name=value. Layers are separated by commas. A value is a number, true,
false, none, a word or a "quoted text", or a tuple in parentheses: of layers if it begins with a
word, as in "residual (conv 16 3, relu, conv 16 3) (conv 16 1)", or else of values.
"""

import json
from collections.abc import Iterable
from typing import Any

from ffnn_jax._errors import UserError
from ffnn_jax.config._layer_reader import (
    WORD,
    LayerReader,
    fields_in_order,
    is_required,
    value_of_word,
)
from ffnn_jax.config._own_layers import name_of
from ffnn_jax.nn import Layer
from ffnn_jax.nn._chain import are_layers


def layers_to_text(layers: Iterable[Layer]) -> str:
    """The text that ``layers_from_text`` reads; arguments with their default are left out."""
    return ", ".join(map(_layer_to_text, layers))


def layers_from_text(text: str, where: str = "layers") -> tuple[Layer, ...]:
    """The layers that a text says; ``where`` it was written begins an error.

    Raises:
        UserError: the text is not understood, with the position, or a layer rejects a value.
    """
    try:
        return LayerReader(text, where).chain(end="")
    except RecursionError:
        raise UserError(f"{where}: nested too deeply") from None


def _layer_to_text(layer: Layer) -> str:
    words, fields = [name_of(type(layer))], fields_in_order(type(layer))
    for field in fields:
        value = getattr(layer, field.name)
        in_order = not field.kw_only and (is_required(field) or field is fields[0])
        if is_required(field) or repr(value) != repr(field.default):
            words.append(("" if in_order else f"{field.name}=") + _value_to_text(value))
    return " ".join(words)


def _value_to_text(value: Any, in_tuple: bool = False) -> str:
    if are_layers(value):
        return f"({layers_to_text(value)})"
    if isinstance(value, tuple):
        return f"({', '.join(_value_to_text(item, in_tuple=True) for item in value)})"
    plain = isinstance(value, str) and WORD.fullmatch(value) and value_of_word(value) == value
    if plain and not in_tuple:
        return value
    return "none" if value is None else json.dumps(value)
