"""JSON that was read, checked against a schema: the same structure, with a kind at each leaf."""

import json
from pathlib import Path
from typing import Any

from ffnn_jax._base_config import Allowed, is_integer, is_number
from ffnn_jax._errors import UserError


def optional(kind: Allowed) -> Allowed:
    """The kind, or null."""
    return Allowed(f"{kind.words} or null", lambda value: value is None or kind.holds(value))


TEXT = Allowed("text", lambda value: isinstance(value, str))
COUNT = Allowed("an integer of at least 0", lambda value: is_integer(value) and value >= 0)
SHARE = Allowed("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
NUMBER = Allowed("a finite number", lambda value: is_number(value) and abs(value) < float("inf"))
AMOUNT = Allowed("a finite number of at least 0", lambda v: NUMBER.holds(v) and v >= 0)
OBJECT = Allowed("an object", lambda value: isinstance(value, dict))
FLAG = Allowed("true or false", lambda value: isinstance(value, bool))
LIST = Allowed("a list", lambda value: isinstance(value, list))


def read_saved(path: Path) -> Any:
    """Reads a JSON file that a finished run left; raises a UserError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = f"so {path.parent} is not a finished run ({error})"
        raise UserError(f"{path} cannot be read, {reason}") from None


def require_schema(file: object, value: Any, schema: Any, key: str = "") -> None:
    """Rejects JSON of another structure; keys that the schema does not name are allowed.

    A schema is an ``Allowed``; ``[schema]`` for a list, a tuple of schemas for one of that length;
    ``{key: schema}`` for an object with these keys ("key?" may be missing), or ``{...: schema}``
    for one with any. A UserError names the file, and the key of a value that is missing or not of
    its kind, as in "confusion[0][3]".
    """
    kind = _kind_of(schema)
    if not kind.holds(value):
        got = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:60]}..."
        raise UserError(f"{file}: {key or 'the content'} must be {kind.words}, got {got}")
    if type(schema) in (list, tuple):
        for index, item in enumerate(value):
            require_schema(file, item, schema[index % len(schema)], f"{key}[{index}]")
    elif isinstance(schema, dict):
        for name, part in (dict.fromkeys(value, schema[...]) if ... in schema else schema).items():
            known = name.removesuffix("?")
            inner = f"{key}.{known}".lstrip(".")
            if known in value:
                require_schema(file, value[known], part, inner)
            elif known == name:
                raise UserError(f"{file}: the key {inner!r} is missing")


def _kind_of(schema: Any) -> Allowed:
    if type(schema) is tuple:
        size = len(schema)
        return Allowed(f"a list of {size}", lambda v: isinstance(v, list) and len(v) == size)
    return OBJECT if isinstance(schema, dict) else LIST if isinstance(schema, list) else schema
