"""The grammar of layers as text: reads it from left to right; an error names the position."""

import contextlib
import dataclasses
import json
import re
from typing import Any, NoReturn

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.config._own_layers import layer_at
from ffnn_jax.nn import LAYERS, Layer

_TOKEN = re.compile(r'"(?:[^"\\]|\\["\\/bfnrt]|\\u[\dA-Fa-f]{4})*"|[(),=]|[^\s(),="]+|"')
WORD = re.compile(r"[A-Za-z_][\w.-]*")
_CONSTANTS = {"true": True, "false": False, "none": None}
_ELSEWHERE = {  # other libraries' layers
    "flatten": "; leave it out: dense takes images as they are",
    "softmax": "; leave it out: the loss begins with it",
    "linear": "; did you mean dense?",
    "fc": "; did you mean dense?",
    "conv2d": "; did you mean conv?",
    "conv2dtranspose": "; did you mean convtranspose?",
    "lrelu": "; did you mean leakyrelu?",
}
_EXAMPLE = ", as in 'dense 10'"
_KINDS = {name.lower(): kind for name, kind in LAYERS.items()}


def fields_in_order(kind: type[Layer]) -> list[dataclasses.Field[Any]]:
    """The fields of a layer, those that are given by name alone last."""
    return sorted(dataclasses.fields(kind), key=lambda field: bool(field.kw_only))


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a layer's field has no default."""
    return field.default is field.default_factory is dataclasses.MISSING


def value_of_word(word: str) -> Any:
    """What a word without quotes stands for: a constant, a number, or itself."""
    if word.lower() in _CONSTANTS:
        return _CONSTANTS[word.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return word


class LayerReader:
    """Reads the layers of a text; ``where`` it was written begins an error."""

    def __init__(self, text: str, where: str) -> None:
        self._where = where
        self._tokens = [(match[0], match.start()) for match in _TOKEN.finditer(text)]
        self._tokens.append(("", len(text)))
        self._next = 0

    def chain(self, end: str) -> tuple[Layer, ...]:
        """Layers up to the token that ends them; a comma may follow the last."""
        layers = [self._layer()]
        while self._seen(",") and self._token != end:
            layers.append(self._layer())
        self._expect(end)
        return tuple(layers)

    @property
    def _token(self) -> str:
        return self._tokens[self._next][0]

    def _seen(self, token: str) -> bool:
        """Whether this is the next token, which is then passed."""
        seen = self._token == token
        self._next += seen and token != ""
        return seen

    def _expect(self, token: str) -> None:
        if not self._seen(token):
            self._fail(f"expected {repr(token) if token else 'a comma'}")

    def _fail(self, problem: str, token: int | None = None) -> NoReturn:
        """Raises a UserError about a token, by default the next, which is shown."""
        word, at = self._tokens[self._next if token is None else token]
        got = f", got {repr(word) if word else 'the end'}" if token is None else ""
        raise UserError(f"{self._where}, character {at + 1}: {problem}{got}")

    def _layer(self) -> Layer:
        first, name = self._next, self._token
        kind = self._kind(name)
        self._next += 1
        fields = fields_in_order(kind)
        arguments = self._arguments(name, fields)
        for field in fields:
            if is_required(field) and field.name not in arguments:
                known = ", ".join(field.name for field in fields)
                self._fail(f"{name} needs {field.name} (its arguments: {known})", first)
        try:
            return kind(**arguments)
        except UserError as error:
            self._fail(str(error), first)

    def _kind(self, name: str) -> type[Layer]:
        if name.lower() in _KINDS:
            return _KINDS[name.lower()]
        if not WORD.match(name):
            self._fail(f"expected a layer{_EXAMPLE}")
        if ":" not in name:
            near = _ELSEWHERE.get(name.lower()) or suggestion(name, _KINDS)
            self._fail(f"unknown layer {name!r}{near or _EXAMPLE}", self._next)
        try:
            return layer_at(name)
        except UserError as error:
            self._fail(str(error), self._next)

    def _arguments(self, name: str, fields: list[dataclasses.Field[Any]]) -> dict[str, Any]:
        """The arguments of a layer by name: those in order first, then those as name=value."""
        known, given = [field.name for field in fields], dict[str, Any]()
        in_order = iter([field.name for field in fields if not field.kw_only])
        while self._token not in ("", ",", ")"):
            named = self._tokens[self._next + 1][0] == "="
            if named:
                in_order = iter([])
            key = self._token if named else next(in_order, "")
            if key == "":
                self._fail(f"{name} takes no more arguments in order; a comma ends a layer")
            if key not in known:
                near = suggestion(key, known) or f" (known: {', '.join(known)})"
                self._fail(f"{name} has no argument {key!r}{near}", self._next)
            if key in given:
                self._fail(f"{name} has {key} twice", self._next)
            self._next += 2 * named
            given[key] = self._value()
        return given

    def _value(self) -> Any:
        token = self._token
        if token in ("", ",", ")", "=", '"'):
            self._fail("expected a value")
        self._next += 1
        if token == "(":
            return self._tuple()
        return json.loads(token, strict=False) if token[0] == '"' else value_of_word(token)

    def _tuple(self) -> tuple[Any, ...]:
        """What follows an opening parenthesis: layers or values."""
        if WORD.match(self._token) and isinstance(value_of_word(self._token), str):
            return self.chain(end=")")
        values = []
        while not self._seen(")"):
            values.append(self._value())
            if not self._seen(","):
                self._expect(")")
                break
        return tuple(values)
